/* SPDX-License-Identifier: Apache-2.0 */
/* Copies that the library has made, as a process that uses them finds them. */
#include "fuzz/zone/world.h"

struct slm_zone *hrn_zone_open_copy(const struct slm_zone_attach_options *options,
                                    hrn_zone_law *law)
{
    struct slm_zone_attach_options checked = *options;
    struct slm_zone *copy;
    struct slm_error error;
    checked.check = true;
    if (slm_zone_attach(&copy, &checked, &error) != SLM_OK) {
        law("the copy: %.150s", error.text);
    }
    enum slm_status status = slm_zone_trylock(copy);
    unsigned broken = status == SLM_OK ? slm_zone_check_locked(copy) : 0;
    if (status != SLM_OK || broken != 0) {
        law("the copy: %s, invariant %u", slm_status_name(status), broken);
    }
    return copy;
}

void hrn_zone_close_copy(struct slm_zone *copy)
{
    (void)slm_zone_unlock(copy);
    slm_zone_detach(copy);
}
