/* SPDX-License-Identifier: Apache-2.0 */
/* The main of a fuzz target without libFuzzer: replays the files of the directories (or the single
 * files) named, so that a corpus is an ordinary test under any compiler. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

enum { INPUT_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(int directory, const char *name)
{
    SONDE_BUF_AUTO input = SONDE_BUF(INPUT_MAX);
    struct sonde_err err = {0};
    if (sonde_read_file(directory, name, &input, &err) < 0) {
        (void)fprintf(stderr, "%s: %s\n", name, err.message);
        return -1;
    }
    /* A copy of exactly its size, so that AddressSanitizer sees a read beyond it. */
    uint8_t *bytes = malloc(input.length ? input.length : 1);
    if (!bytes) {
        return -1;
    }
    if (input.length) {
        memcpy(bytes, input.data, input.length);
    }
    (void)fprintf(stderr, "%s\n", name);
    (void)LLVMFuzzerTestOneInput(bytes, input.length);
    free(bytes);
    return 0;
}

/* The number of files replayed, or -1. */
static int replay_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) {
        perror(path);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry = readdir(directory); entry && count >= 0;
         entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            count = replay_file(dirfd(directory), entry->d_name) < 0 ? -1 : count + 1;
        }
    }
    (void)closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        bool is_directory = stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode);
        int count = is_directory                         ? replay_directory(argv[i])
                    : replay_file(AT_FDCWD, argv[i]) < 0 ? -1
                                                         : 1;
        if (count < 0) {
            return 1;
        }
        total += count;
    }
    (void)fprintf(stderr, "%d inputs\n", total);
    return total > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
