/* SPDX-License-Identifier: Apache-2.0 */
/* Two workers move coins between two purses; one worker is killed between two writes. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <slabmill/zone.h>

static int move_coins(struct slm_zone *zone, int dies_at)
{
    struct slm_journal *journal = slm_zone_journal(zone);
    enum slm_status status = SLM_OK;
    for (int i = 0; i < 1000 && status == SLM_OK; i++) {
        if (slm_zone_lock(zone) != SLM_OK) { /* also undoes what a dead worker left */
            return 1;
        }
        uint64_t *purses = slm_zone_root_locked(zone);
        slm_journal_write(journal, &purses[0], purses[0] - 1);
        if (i == dies_at) {
            raise(SIGKILL); /* one coin is in neither purse */
        }
        status = slm_journal_write(journal, &purses[1], purses[1] + 1);
        status = slm_zone_end(zone, status); /* commits both writes, or undoes both */
    }
    return status == SLM_OK ? 0 : 1;
}

int main(void)
{
    struct slm_zone_options options = {.name = "purses", .bytes = 1 << 20};
    struct slm_zone *zone;
    if (slm_zone_create(&zone, &options, NULL) != SLM_OK || slm_zone_lock(zone) != SLM_OK) {
        return 1;
    }
    uint64_t *purses = slm_journal_calloc(slm_zone_journal(zone), 2 * sizeof *purses);
    slm_journal_write(slm_zone_journal(zone), &purses[0], 5000);
    enum slm_status status = slm_zone_set_root_locked(zone, purses);
    status = slm_zone_end(zone, status);
    for (int worker = 1; worker <= 2 && status == SLM_OK; worker++) {
        if (fork() == 0) {
            _exit(move_coins(zone, worker == 1 ? 500 : -1));
        }
    }
    while (wait(NULL) > 0) {
    }
    status = status == SLM_OK ? slm_zone_lock(zone) : status;
    if (status == SLM_OK) {
        printf("%d + %d = %d\n", (int)purses[0], (int)purses[1], (int)(purses[0] + purses[1]));
        status = slm_zone_end(zone, SLM_OK);
    }
    slm_zone_detach(zone);
    return status == SLM_OK ? 0 : 1;
}
