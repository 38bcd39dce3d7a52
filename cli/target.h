/* SPDX-License-Identifier: Apache-2.0 */
/* Which local process a command means: --pid, --match, the only one, or a command of our own. */
#ifndef SONDE_CLI_TARGET_H
#define SONDE_CLI_TARGET_H

#include "cli/cli.h"
#include "inspector/process.h"
#include "loop/loop.h"

struct target {
    struct sonde_process process;
    struct sonde_process_list family; /* of target_find_family; else empty */
    int root;     /* its root directory, for source maps; -1 when it cannot be opened */
    pid_t child;  /* the command that we started, or 0 … */
    int child_fd; /* … and its pidfd */
};

enum { TARGET_FAMILY_MAX = 64 }; /* processes captured in one run */

#define TARGET_NONE ((struct target){.root = -1, .child_fd = -1})
#define TARGET_START_TIMEOUT_NS (30 * SONDE_SECOND) /* command started → Node.js takes signals */

/* Finds it, or starts the command and waits until a Node.js process of it takes signals; the loop's
 * callbacks are called meanwhile, and see ret->child. With --output json what the command prints
 * goes to stderr, so that stdout is JSON alone. Errors have the reasons TargetNotFound,
 * TargetAmbiguous (the candidates are in the message) … family: several that match are no
 * ambiguity when one process has started them all; that is taken then, Node.js or not. ret begins
 * as TARGET_NONE; the caller calls target_fini in any case. */
int target_find(const struct cli_call *call, struct sonde_loop *loop, bool family,
                struct target *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Fills ret->family with the processes that the target means when its children count, the oldest
 * first: itself, unless it only starts others (a package runner, a cluster's primary), and the
 * Node.js processes among its descendants. SONDE_ENOTFOUND when nothing is left. */
int target_find_family(struct target *ret, struct sonde_err *err) SONDE_MUST_CHECK;
void target_fini(struct target *target);

/* Waits until the command that we started has ended, and returns its exit code as a shell has it:
 * 128 + signal when a signal ended it. */
int target_wait(struct target *target);
/* Passes a signal on to the command that we started. */
void target_signal(const struct target *target, int signal_number);

#endif
