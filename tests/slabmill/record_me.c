/* SPDX-License-Identifier: Apache-2.0 */
/* Calls the whole family of malloc, from two threads and a child process: what is recorded of it is
 * known. Arguments: "kill" ends it by SIGKILL, "exec PROGRAM..." becomes another program, "wait FILE"
 * makes the file and waits for a signal, "nothing" allocates nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* reallocarray, memalign */
#endif
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_TURNS 2000

static void *volatile sink; /* so that the compiler keeps each call */

static void *keep(void *p)
{
    sink = p;
    return sink;
}

static void call_each_once(void)
{
    void *p = keep(malloc(1001));
    p = keep(realloc(p, 1002));
    p = keep(reallocarray(p, 3, 1001));
    free(p);
    p = keep(calloc(4, 1001));
    free(p);
    free(keep(aligned_alloc(64, 1088)));
    free(keep(memalign(128, 1005)));
    if (posix_memalign(&p, 256, 1006) == 0) {
        free(keep(p));
    }
    free(keep(realloc(NULL, 1007)));
    free(keep(malloc(SIZE_MAX / 2)));
    free(NULL);
}

static void *turn(void *data)
{
    for (int i = 0; i < N_TURNS; i++) {
        free(keep(malloc(2000)));
    }
    return data;
}

static int run_threads(void)
{
    pthread_t threads[2];
    int failed = 0;
    for (int i = 0; i < 2; i++) {
        failed |= pthread_create(&threads[i], NULL, turn, NULL);
    }
    for (int i = 0; i < 2 && failed == 0; i++) {
        failed |= pthread_join(threads[i], NULL);
    }
    return failed;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "exec") == 0) {
        (void)keep(malloc(4444));
        (void)execv(argv[2], argv + 2);
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "nothing") == 0) {
        return 0;
    }
    call_each_once();
    int failed = run_threads();
    pid_t child = fork();
    if (child == 0) {
        free(keep(malloc(3333)));
        _exit(0);
    }
    failed |= child < 0 || waitpid(child, NULL, 0) != child;
    (void)keep(malloc(5555));
    if (argc > 1 && strcmp(argv[1], "kill") == 0) {
        (void)raise(SIGKILL);
    }
    if (argc > 2 && strcmp(argv[1], "wait") == 0) {
        (void)close(open(argv[2], O_CREAT | O_WRONLY, 0600));
        (void)pause();
    }
    return failed;
}
