/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of lib/profile share. Each asserts by itself. */
#ifndef SONDE_TESTS_PROFILE_HELPERS_H
#define SONDE_TESTS_PROFILE_HELPERS_H

#include "base/buf.h"
#include "profile/output.h"
#include "profile/profile.h"

enum { PATH_MAX_BYTES = 512 << 10, WRITTEN_MAX = 64 << 20 };

/* Reads one window of a process (NULL: of one that has no other) in pieces of `step` bytes (0: at
 * once). Returns finish's or feed's code. */
int read_window(struct sonde_profile *profile, struct sonde_profile_source *source,
                struct sonde_str text, size_t step, struct sonde_err *err);
/* Reads a window that must be good. */
void read_good(struct sonde_profile *profile, struct sonde_profile_source *source,
               const char *text);

/* The node's function names from the outermost one, "a;b;c"; of the root "". */
void path_of(const struct sonde_profile *profile, uint32_t node, struct sonde_buf *ret);
/* The node with that path, which must exist. */
const struct sonde_profile_node *node_at(const struct sonde_profile *profile, const char *path);
/* The first frame of that function, which must exist. */
const struct sonde_frame *frame_named(const struct sonde_profile *profile, const char *function);

/* For each path, the two profiles must have the same time (and samples, when asked). */
void assert_same_times(const struct sonde_profile *left, const struct sonde_profile *right,
                       bool samples_too);
/* Totals are the sums of the nodes and of the timeline; parents come before children. */
void assert_consistent(const struct sonde_profile *profile);

/* A sonde_output that appends to a struct sonde_buf *. */
int write_to_buf(void *context, const void *data, size_t length, struct sonde_err *err);

/* The seed of this run: SONDE_TEST_SEED, or a random one; printed. */
uint64_t test_seed(void);

#endif
