/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target that prints what the replay engine passes to it. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int hrn_fuzz_replay_end(void);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argv;
    printf("initialized with %d arguments\n", *argc);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    printf("input <%.*s>\n", (int)size, (const char *)data);
    return 0;
}

int hrn_fuzz_replay_end(void)
{
    const char *verdict = getenv("PROBE_VERDICT");
    return verdict != NULL && strcmp(verdict, "bad") == 0;
}
