/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void add_time(struct sonde_profile *profile, uint32_t node, int64_t duration_us)
{
    assert_int_equal(sonde_profile_add_sample(profile, node, duration_us, NULL), 0);
    profile->end_us += duration_us;
}

void add_rows(struct sonde_profile *profile, const struct row *rows, size_t count,
              uint32_t *ret_nodes)
{
    uint32_t own[ROWS_MAX];
    uint32_t *nodes = ret_nodes ? ret_nodes : own;
    assert_true(count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++) {
        uint32_t frame;
        uint32_t parent = rows[i].parent < 0 ? 0 : nodes[rows[i].parent];
        assert_int_equal(sonde_profile_frame(profile, sonde_str(rows[i].function),
                                             sonde_str(rows[i].url), rows[i].line,
                                             rows[i].line ? 1 : 0, &frame, NULL),
                         0);
        assert_int_equal(sonde_profile_node(profile, parent, frame, &nodes[i], NULL), 0);
        if (rows[i].self_us) {
            add_time(profile, nodes[i], rows[i].self_us);
        }
    }
}

const struct sonde_function *function_named(const struct sonde_profile *profile,
                                            const struct sonde_cpu_analysis *analysis,
                                            const char *function)
{
    for (size_t i = 0; i < analysis->table.function_count; i++) {
        const struct sonde_function *row = &analysis->table.functions[i];
        if (sonde_str_is(profile->frames[row->frame].function, function)) {
            return row;
        }
    }
    fail_msg("no function %s", function);
    return NULL;
}
