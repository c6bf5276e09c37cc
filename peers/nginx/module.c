/* SPDX-License-Identifier: Apache-2.0 */
/* A core module of nginx that runs a plugin in the process of nginx. */
#include <ngx_config.h>
#include <ngx_core.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers/nginx/plugin.h"
#include "peers/nginx/route.h"

#define STATUS_WRONG 2 /* what the mill returns for a wrong call */

/* The arguments of the directive; args[0] is the plugin. */
static char **args;
static int n_args;

__attribute__((noreturn)) static void stop(const char *what, const char *why)
{
    fprintf(stderr, "ngx_slabmill_module: %s: %s\n", what, why);
    exit(STATUS_WRONG);
}

/* nginx's strings end with a zero after their length. */
static char *read_directive(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    const ngx_str_t *words = cf->args->elts;
    if (args != NULL) {
        return "is duplicate";
    }
    n_args = (int)cf->args->nelts - 1;
    args = calloc((size_t)n_args + 1, sizeof *args);
    if (args == NULL) {
        return NGX_CONF_ERROR;
    }
    for (int i = 0; i < n_args; i++) {
        args[i] = strdup((const char *)words[i + 1].data);
    }
    return NGX_CONF_OK;
}

static ngx_int_t run_plugin(ngx_cycle_t *cycle)
{
    union {
        void *object;
        slm_nginx_plugin_fn *run;
    } entry;
    if (args == NULL) {
        return NGX_OK;
    }
    /* Programs that the plugin starts are not nginx. */
    (void)unsetenv("LD_PRELOAD");
    if (getenv("SLM_NGINX_UNROUTED") == NULL && !route_is_ready()) {
        stop("malloc", "not that of this module; start nginx with LD_PRELOAD=its file");
    }
    void *handle = dlopen(args[0], RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        stop("dlopen", dlerror());
    }
    entry.object = dlsym(handle, SLM_NGINX_PLUGIN);
    if (entry.object == NULL) {
        stop("dlsym", dlerror());
    }
    /* Slabs report each bad free to the log of the cycle that is current: not yet this one. */
    cycle->log->log_level = 0;
    ngx_cycle->log->log_level = 0;
    int status = entry.run(n_args, args, &slm_nginx_drivers);
    fflush(stdout);
    exit(status);
}

static ngx_command_t commands[] = {
    {ngx_string("slabmill"), NGX_MAIN_CONF | NGX_DIRECT_CONF | NGX_CONF_1MORE, read_directive, 0, 0,
     NULL},
    ngx_null_command,
};

static ngx_core_module_t context = {ngx_string("slabmill"), NULL, NULL};

ngx_module_t ngx_slabmill_module = {
    NGX_MODULE_V1, &context, commands, NGX_CORE_MODULE,       NULL, run_plugin, NULL, NULL,
    NULL,          NULL,     NULL,     NGX_MODULE_V1_PADDING,
};
