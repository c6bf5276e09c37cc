/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzzing engine that runs its inputs once, in a fixed order. It makes a corpus a plain test. */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Both belong to libFuzzer's interface. The second is optional. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Optional verdict on the whole replay, such as: did every kind of operation run? 0: good. */
__attribute__((weak)) int hrn_fuzz_replay_end(void);

/* A custom mutator refers to the engine's mutator. A replay never calls it. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data;
    return size < max_size ? size : max_size;
}

static size_t n_replayed;

static bool complain(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    return false;
}

/* The block has exactly the input's size, so that sanitizers see the first byte read past it. */
static bool run_bytes(FILE *file, size_t size_bytes, const char *path)
{
    uint8_t *data = malloc(size_bytes);
    if (data == NULL && size_bytes > 0) {
        return complain(path);
    }
    bool complete = fread(data, 1, size_bytes, file) == size_bytes;
    if (complete) {
        /* In a crash the last line before the report must be the name of the input. */
        fprintf(stderr, "replay: %s (%zu bytes)\n", path, size_bytes);
        (void)LLVMFuzzerTestOneInput(data, size_bytes);
        n_replayed++;
    } else {
        fprintf(stderr, "replay: %s: shorter than its %zu bytes\n", path, size_bytes);
    }
    free(data);
    return complete;
}

static bool replay_file(const char *path, size_t size_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return complain(path);
    }
    bool ok = run_bytes(file, size_bytes, path);
    fclose(file);
    return ok;
}

static int is_visible(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static bool replay_path(const char *path);

static bool replay_entry(const char *folder, const char *name)
{
    size_t size_bytes = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size_bytes);
    if (path == NULL) {
        return complain(folder);
    }
    snprintf(path, size_bytes, "%s/%s", folder, name);
    bool ok = replay_path(path);
    free(path);
    return ok;
}

static bool replay_folder(const char *folder)
{
    struct dirent **entries = NULL;
    /* Without a locale, alphasort compares bytes. */
    int n_entries = scandir(folder, &entries, is_visible, alphasort);
    if (n_entries < 0) {
        return complain(folder);
    }
    bool ok = true;
    for (int i = 0; i < n_entries; i++) {
        ok = replay_entry(folder, entries[i]->d_name) && ok;
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool replay_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return complain(path);
    }
    if (S_ISDIR(status.st_mode)) {
        return replay_folder(path);
    }
    return replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize != NULL) {
        (void)LLVMFuzzerInitialize(&argc, &argv);
    }
    bool ok = true;
    for (int i = 1; i < argc; i++) {
        ok = replay_path(argv[i]) && ok;
    }
    printf("replayed %zu inputs\n", n_replayed);
    if (n_replayed == 0) {
        fprintf(stderr, "replay: no inputs, so nothing was tested\n");
        return EXIT_FAILURE;
    }
    if (hrn_fuzz_replay_end != NULL && hrn_fuzz_replay_end() != 0) {
        fprintf(stderr, "replay: the harness says that this corpus is not enough\n");
        return EXIT_FAILURE;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
