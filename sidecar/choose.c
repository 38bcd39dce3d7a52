/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sidecar/sidecar.h"
#include "spec/reason.h"

static int by_age(const void *a, const void *b)
{
    const struct sonde_process *first = a;
    const struct sonde_process *second = b;
    if (first->start_time != second->start_time) {
        return first->start_time < second->start_time ? -1 : 1;
    }
    return first->pid < second->pid ? -1 : first->pid > second->pid;
}

static int ambiguous(const struct sonde_process_list *list, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(400);
    for (size_t i = 0; i < list->count && text.code == 0; i++) {
        sonde_buf_text(&text, i ? "; " : "");
        sonde_process_describe(&list->items[i], &text);
    }
    return sonde_fail_reason(
        err, SONDE_EINVALID, SONDE_REASON_TARGET_AMBIGUOUS,
        "%zu processes run Node.js: choose by spec.target.process, or take all "
        "with childProcesses: Include (%.400s)",
        list->count, text.data ? text.data : "");
}

int choose_processes(struct sonde_process_list *list, const struct sonde_profile_target *target,
                     struct sonde_err *err)
{
    const struct sonde_process_choice *choice = target->process;
    const char *match = choice ? choice->match : NULL;
    bool by_index = choice && choice->index != SONDE_SPEC_ABSENT;
    sonde_process_list_match(list, match);
    if (list->count == 0) {
        return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                                 match ? "no Node.js process in the container matches \"%.200s\""
                                       : "no process in the container runs Node.js%.0s",
                                 match ? match : "");
    }
    qsort(list->items, list->count, sizeof(*list->items), by_age);
    if (by_index) {
        size_t index = (size_t)choice->index;
        if (index >= list->count) {
            return sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                                     "spec.target.process.index is %zu, and %zu processes match",
                                     index, list->count);
        }
        list->items[0] = list->items[index];
        list->count = 1;
        return 0;
    }
    if (target->child_processes == SONDE_CHILDREN_INCLUDE) {
        list->count = list->count < SIDECAR_PROCESSES_MAX ? list->count : SIDECAR_PROCESSES_MAX;
        return 0;
    }
    return list->count == 1 ? 0 : ambiguous(list, err);
}
