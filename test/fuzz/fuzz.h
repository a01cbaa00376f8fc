/* fuzz.h - what the libFuzzer targets share: the input taken apart, the first inputs, and a
 * directory in memory.
 *
 * A target is one file. Its head says what must hold for every input, and CHECK holds the code to
 * it. scripts/fuzz runs the targets. Readable first inputs lie in corpus/<target>/; a target whose
 * inputs are bytes makes its own.
 */
#ifndef WEIR_TEST_FUZZ_H
#define WEIR_TEST_FUZZ_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "codec/layout.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* So that a limit of 64 MB on the whole process can be held: of freed memory the sanitizer keeps
 * 4 MB back, not 256. Leaks are looked for where an input leaves nothing behind on purpose. */
#ifdef FUZZ_KEEPS_STATE
#define FUZZ_LEAKS "detect_leaks=0"
#else
#define FUZZ_LEAKS "detect_leaks=1"
#endif
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:detect_stack_use_after_return=1:strict_string_checks="
           "1:" FUZZ_LEAKS;
}

/* ---- the input, taken from the front; what is not there any more reads as 0 ---- */

struct fuzz_input {
    const uint8_t *at, *end;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* Little-endian. */
static inline uint32_t fuzz_number(struct fuzz_input *input, int bytes)
{
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++) {
        number |= (uint32_t)fuzz_byte(input) << 8 * i;
    }
    return number;
}

static inline struct weir_bytes fuzz_bytes(struct fuzz_input *input, size_t size)
{
    size_t left = (size_t)(input->end - input->at);
    struct weir_bytes bytes = {input->at, size < left ? size : left};
    input->at += bytes.size;
    return bytes;
}

static inline void fuzz_write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");
    CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

/* ---- the first inputs of a target: `fuzz_x --seeds=DIRECTORY` writes them there ---- */

struct fuzz_seed {
    const char *name;
    const void *data;
    size_t size;
};

/* Of a literal, which may have NULs. */
#define FUZZ_SEED(name, text)        \
    {                                \
        name, text, sizeof(text) - 1 \
    }

/* The whole of a target's LLVMFuzzerInitialize. */
static inline int fuzz_seeds(int argc, char **argv, const struct fuzz_seed *seeds, size_t count)
{
    static const char option[] = "--seeds=";
    const char *directory = NULL;
    for (int i = 1; i < argc; i++) {
        directory = strncmp(argv[i], option, sizeof option - 1) == 0 ? argv[i] + sizeof option - 1
                                                                     : directory;
    }
    for (size_t i = 0; directory && i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", directory, seeds[i].name);
        fuzz_write_file(path, seeds[i].data, seeds[i].size);
    }
    return 0;
}

/* ---- a directory of the process, in memory where there is one ---- */

static char fuzz_directory_name[64];

/* Removes the files of a directory. */
static inline void fuzz_clear(const char *directory)
{
    DIR *list = opendir(directory);
    for (struct dirent *entry = list ? readdir(list) : NULL; entry; entry = readdir(list)) {
        if (entry->d_name[0] != '.') {
            CHECK(unlinkat(dirfd(list), entry->d_name, 0) == 0);
        }
    }
    if (list) {
        closedir(list);
    }
}

static inline void fuzz_directory_remove(void)
{
    fuzz_clear(fuzz_directory_name);
    rmdir(fuzz_directory_name);
}

/* Made at the first call, removed at the end of the process. */
static inline const char *fuzz_directory(void)
{
    if (!fuzz_directory_name[0]) {
        const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(fuzz_directory_name, sizeof fuzz_directory_name, "%s/weir-fuzz-XXXXXX", base);
        CHECK(mkdtemp(fuzz_directory_name) != NULL);
        CHECK(atexit(fuzz_directory_remove) == 0);
    }
    return fuzz_directory_name;
}

#endif
