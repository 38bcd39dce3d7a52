/* SPDX-License-Identifier: Apache-2.0 */
#include "load/validity.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"

enum { FILE_MAX = 64 << 10 };

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void refuse(struct sonde_load_validity *ret, const char *format, ...) SONDE_PRINTF(2, 3);

static void refuse(struct sonde_load_validity *ret, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(ret->reason, sizeof(ret->reason), format, arguments);
    va_end(arguments);
    ret->valid = false;
}

static void refuse_unanswered(const struct sonde_load_tally *tally, struct sonde_load_validity *ret)
{
    int most = 0;
    for (int i = 1; i < SONDE_LOAD_ERRORS; i++) {
        most = tally->errors[i] > tally->errors[most] ? i : most;
    }
    if (tally->errors[most]) {
        refuse(ret, "nothing was answered: %llu %s (%s)", (unsigned long long)tally->errors[most],
               sonde_load_error_name((enum sonde_load_error)most),
               sonde_load_error_cause((enum sonde_load_error)most));
    } else {
        refuse(ret, "nothing was answered");
    }
}

void sonde_load_validate(const struct sonde_load_plan *plan,
                         const struct sonde_load_outcome *outcome, int64_t throttled_ns,
                         struct sonde_load_validity *ret)
{
    const struct sonde_load_tally *t = &outcome->tally;
    double time_ns = (double)outcome->duration_ns;
    double throttled = share((double)throttled_ns, time_ns);
    double cpu = share((double)outcome->cpu_ns, time_ns * plan->threads);
    double late = share((double)t->late, (double)t->sent);
    double unsent = share((double)t->unsent, (double)(t->sent + t->unsent));
    *ret = (struct sonde_load_validity){.valid = true};
    if (t->answered == 0 && t->received == 0) {
        refuse_unanswered(t, ret);
    } else if (throttled > SONDE_LOAD_THROTTLED_MAX) {
        refuse(ret,
               "we were throttled for %.1f %% of the time by a CPU limit: give the generator more "
               "CPU, or a lower rate",
               100 * throttled);
    } else if (cpu > SONDE_LOAD_CPU_MAX) {
        refuse(ret,
               "our threads used %.0f %% of a CPU each: give more of them (--workers), or a lower "
               "rate",
               100 * cpu);
    } else if (unsent > SONDE_LOAD_UNSENT_MAX) {
        refuse(ret,
               "%.1f %% of the requests could not be sent, no connection being free: give more "
               "(--max-connections), or a lower rate",
               100 * unsent);
    } else if (late > SONDE_LOAD_LATE_MAX) {
        refuse(ret,
               "%.1f %% of the requests were sent more than %d ms late, though a connection was "
               "free: the machine of the generator is too busy",
               100 * late, (int)(SONDE_LOAD_LATE_NS / SONDE_MILLISECOND));
    }
}

/* ---- throttling ---- */

int64_t sonde_load_throttled_parse(struct sonde_str text)
{
    static const struct {
        const char *name;
        int64_t ns; /* of a unit */
    } rows[] = {{"throttled_usec", SONDE_MICROSECOND}, {"throttled_time", 1}};
    while (text.length) {
        struct sonde_str value = sonde_str_split(&text, '\n');
        struct sonde_str name = sonde_str_split(&value, ' ');
        for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
            uint64_t number;
            if (sonde_str_is(name, rows[i].name) &&
                sonde_parse_u64(value, 0, (uint64_t)(INT64_MAX / rows[i].ns), &number) == 0) {
                return (int64_t)number * rows[i].ns;
            }
        }
    }
    return 0;
}

static int64_t read_stat(const char *groups, const char *controller, struct sonde_str path)
{
    char file[PATH_MAX];
    SONDE_BUF_AUTO text = SONDE_BUF(FILE_MAX);
    (void)snprintf(file, sizeof(file), "%s%s%.*s/cpu.stat", groups, controller,
                   SONDE_STR_ARG(path));
    return sonde_read_file(AT_FDCWD, file, &text, NULL) == 0
               ? sonde_load_throttled_parse(sonde_buf_view(&text))
               : 0;
}

static bool has_cpu(struct sonde_str controllers)
{
    while (controllers.data) {
        if (sonde_str_is(sonde_str_split(&controllers, ','), "cpu")) {
            return true;
        }
    }
    return false;
}

int64_t sonde_load_throttled(const char *proc, const char *groups)
{
    SONDE_BUF_AUTO text = SONDE_BUF(FILE_MAX);
    int64_t most = 0;
    if (sonde_read_file(AT_FDCWD, proc, &text, NULL) < 0) {
        return 0;
    }
    struct sonde_str rest = sonde_buf_view(&text);
    while (rest.length) {
        struct sonde_str path = sonde_str_split(&rest, '\n');
        (void)sonde_str_split(&path, ':');
        struct sonde_str controllers = sonde_str_split(&path, ':');
        bool v2 = controllers.length == 0;
        if (!v2 && !has_cpu(controllers)) {
            continue;
        }
        /* In a container its own group is the root of what is mounted. */
        const struct sonde_str places[] = {path, SONDE_STR("")};
        for (size_t i = 0; i < SONDE_LENGTH(places); i++) {
            int64_t own = read_stat(groups, v2 ? "" : "/cpu", places[i]);
            most = own > most ? own : most;
        }
    }
    return most;
}
