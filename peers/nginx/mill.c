/* SPDX-License-Identifier: Apache-2.0 */
/* The mill's command as a plugin of the nginx module. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <sys/personality.h>

#include "peers/nginx/plugin.h"

/* Of //tools/slabmill:command. The linker binds it here, not to nginx's own. */
int main(int argc, char **argv);

__attribute__((visibility("default"))) int
slm_nginx_plugin(int argc, char **argv, const struct slm_nginx_drivers *drivers);

/* With random addresses the command would start its program again, which is nginx. */
static bool may_start_again(void)
{
    int now = personality(0xffffffff);
    return now != -1 && (now & ADDR_NO_RANDOMIZE) == 0 &&
           personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1;
}

int slm_nginx_plugin(int argc, char **argv, const struct slm_nginx_drivers *drivers)
{
    (void)drivers;
    if (may_start_again()) {
        fputs("slabmill: start nginx by setarch -R: addresses must not be random\n", stderr);
        return 2;
    }
    return main(argc, argv);
}
