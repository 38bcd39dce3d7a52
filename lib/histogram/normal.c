/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram/normal.h"

#include <math.h>

double sonde_normal_deviations(double share)
{
    double low = 0;
    double high = 40;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        *(erf(middle / M_SQRT2) < share ? &low : &high) = middle;
    }
    return low;
}

double sonde_normal_beyond(double deviations)
{
    return erfc(deviations / M_SQRT2) / 2;
}

double sonde_student_deviations(double share, double degrees)
{
    /* Of each power of 1/degrees: a polynomial in z², without the factor z. */
    static const double terms[][5] = {
        {1 / 4.0, 1 / 4.0},
        {3 / 96.0, 16 / 96.0, 5 / 96.0},
        {-15 / 384.0, 17 / 384.0, 19 / 384.0, 3 / 384.0},
        {-945 / 92160.0, -1920 / 92160.0, 1482 / 92160.0, 776 / 92160.0, 79 / 92160.0},
    };
    double z = sonde_normal_deviations(share);
    double sum = 1;
    double power = 1;
    for (int i = 0; i < 4; i++) {
        double value = 0;
        for (int k = 4; k >= 0; k--) {
            value = value * z * z + terms[i][k];
        }
        power /= degrees;
        sum += value * power;
    }
    return z * sum;
}
