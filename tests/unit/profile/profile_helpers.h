/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of lib/profile share. Each asserts by itself. */
#ifndef SONDE_TESTS_PROFILE_HELPERS_H
#define SONDE_TESTS_PROFILE_HELPERS_H

#include "base/buf.h"
#include "profile/output.h"
#include "profile/profile.h"
#include "seed.h"

enum { PATH_MAX_BYTES = 512 << 10, WRITTEN_MAX = 64 << 20 };

/* Makes a reader of that format with `…` as its arguments, gives it the text in pieces of `step`
 * bytes (0: at once), finishes and frees it. The first code that is not 0. */
#define READ_WITH(format, text, step, err, ...)                                                    \
    __extension__({                                                                                \
        struct sonde_##format##_reader *reader_ = NULL;                                            \
        struct sonde_str text_ = (text);                                                           \
        size_t step_ = (step) ? (size_t)(step) : text_.length + 1;                                 \
        int r_ = sonde_##format##_reader_new(__VA_ARGS__, &reader_, (err));                        \
        for (size_t at_ = 0; at_ < text_.length && r_ == 0; at_ += step_) {                        \
            size_t left_ = text_.length - at_;                                                     \
            r_ = sonde_##format##_feed(reader_, text_.data + at_, left_ < step_ ? left_ : step_,   \
                                       (err));                                                     \
        }                                                                                          \
        r_ = r_ < 0 ? r_ : sonde_##format##_finish(reader_, (err));                                \
        sonde_##format##_reader_free(reader_);                                                     \
        r_;                                                                                        \
    })

/* What must be refused, with that code and such a message. */
struct refused {
    const char *text;
    int code;
    const char *says;
};
void assert_refused(const struct refused *row, int r, const struct sonde_err *err);
/* Each is given to `read` with a new profile, in which nothing of it counts. */
void assert_profiles_refused(const struct refused *rows, size_t count,
                             int (*read)(struct sonde_profile *profile, struct sonde_str text,
                                         size_t step, struct sonde_err *err));

/* Reads one window of a process (NULL: of one that has no other) in pieces of `step` bytes (0: at
 * once). Returns finish's or feed's code. */
int read_window(struct sonde_profile *profile, struct sonde_profile_source *source,
                struct sonde_str text, size_t step, struct sonde_err *err);
/* Reads a window that must be good. */
void read_good(struct sonde_profile *profile, struct sonde_profile_source *source,
               const char *text);
/* The same into a new profile. */
void read_alone(struct sonde_profile *ret, const char *text);

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

#endif
