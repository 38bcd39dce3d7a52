/* SPDX-License-Identifier: Apache-2.0 */
/* What intervals are made of. Pure. */
#ifndef SONDE_HISTOGRAM_NORMAL_H
#define SONDE_HISTOGRAM_NORMAL_H

/* How many standard deviations around the mean of a normal distribution hold that share (0–1). */
double sonde_normal_deviations(double share);
/* The share of a normal distribution that lies more than so many deviations above its mean. */
double sonde_normal_beyond(double deviations);
/* As sonde_normal_deviations, of Student's t distribution: to four per mille from 3 degrees of
 * freedom on (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5). */
double sonde_student_deviations(double share, double degrees);

#endif
