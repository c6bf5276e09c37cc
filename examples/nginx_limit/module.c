/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nginx_limit: rates of requests for nginx, kept in zones of Slabmill.
 *
 * Two modules in one file. The http module has the directives and the phase handler. The core
 * module makes the zones: nginx lets a core module refuse a configuration after all of it was read
 * and before anything is changed. So a reload that the zones cannot follow is refused in words, and
 * the earlier configuration stays. A start and an upgrade make them later, when the sockets are
 * open: a second nginx by mistake ends before it.
 */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "examples/nginx_limit/request.h"

ngx_module_t ngx_http_slabmill_limit_module;

struct main_conf {
    ngx_array_t zones; /* of struct nginx_limit_zone *, in the order of the configuration */
};

/* --- Words of the configuration --- */

/* The rest of a word that begins with that name and "=": 0 bytes, and no data, if it does not. */
static ngx_str_t value_of(const ngx_str_t *word, const char *name)
{
    size_t length = ngx_strlen(name);
    ngx_str_t value = ngx_null_string;
    if (word->len > length && ngx_strncmp(word->data, name, length) == 0 &&
        word->data[length] == '=') {
        value.data = word->data + length + 1;
        value.len = word->len - length - 1;
    }
    return value;
}

static bool is_name(const ngx_str_t *name)
{
    for (size_t i = 0; i < name->len; i++) {
        u_char c = name->data[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (i == 0 || ngx_strchr("-_.", c) == NULL)) {
            return false;
        }
    }
    return name->len > 0 && name->len < SLM_SEGMENT_NAME_BYTES;
}

/* "10r/s" or "30r/m", in requests per 1000 s; 0: neither, or outside 1/1000 to 4 million a second.
 */
static uint32_t parse_rate(const ngx_str_t *text)
{
    if (text->len < 4 || ngx_strncmp(text->data + text->len - 3, "r/", 2) != 0) {
        return 0;
    }
    u_char unit = text->data[text->len - 1];
    ngx_int_t n = ngx_atoi(text->data, text->len - 3);
    if (n <= 0 || n > 4000000 || (unit != 's' && unit != 'm')) {
        return 0;
    }
    return unit == 's' ? (uint32_t)n * 1000u : (uint32_t)((uint64_t)n * 1000u / 60u);
}

/* The zone of that name; a new one, not declared yet, if there is none. NULL: no memory. */
static struct nginx_limit_zone *find_zone(ngx_conf_t *cf, struct main_conf *conf,
                                          const ngx_str_t *name)
{
    struct nginx_limit_zone **zone = conf->zones.elts;
    for (ngx_uint_t i = 0; i < conf->zones.nelts; i++) {
        if (zone[i]->name.len == name->len &&
            ngx_strncmp(zone[i]->name.data, name->data, name->len) == 0) {
            return zone[i];
        }
    }
    zone = ngx_array_push(&conf->zones);
    struct nginx_limit_zone *made = ngx_pcalloc(cf->pool, sizeof *made);
    if (zone == NULL || made == NULL) {
        return NULL;
    }
    made->name = *name;
    *zone = made;
    return made;
}

static char *complain(ngx_conf_t *cf, const char *what, const ngx_str_t *word)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s: \"%V\"", what, word);
    return NGX_CONF_ERROR;
}

/* --- slabmill_limit_zone name=NAME size=SIZE rate=RATE [key=VALUE] [file=PATH] --- */

enum { NAME, SIZE, RATE, KEY, PATH, N_OPTIONS };

static const char *const option_names[N_OPTIONS] = {"name", "size", "rate", "key", "file"};

static char *read_options(ngx_conf_t *cf, ngx_str_t options[N_OPTIONS])
{
    const ngx_str_t *words = cf->args->elts;
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        unsigned option = 0;
        while (option < N_OPTIONS && value_of(&words[i], option_names[option]).data == NULL) {
            option++;
        }
        if (option == N_OPTIONS || options[option].data != NULL) {
            return complain(cf, "an unknown option, or one that is given twice", &words[i]);
        }
        options[option] = value_of(&words[i], option_names[option]);
    }
    return NGX_CONF_OK;
}

static char *compile_key(ngx_conf_t *cf, struct nginx_limit_zone *zone, ngx_str_t *text)
{
    ngx_str_t address = ngx_string("$binary_remote_addr");
    ngx_http_compile_complex_value_t compile = {
        .cf = cf,
        .value = text->data != NULL ? text : &address,
        .complex_value = &zone->key,
    };
    return ngx_http_compile_complex_value(&compile) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

/* Whole pages. 0: not a size, or below the smallest zone. */
static size_t parse_size(ngx_str_t *text)
{
    ssize_t bytes = text->data == NULL ? NGX_ERROR : ngx_parse_size(text);
    return bytes < (ssize_t)SLM_ZONE_BYTES_MIN ? 0 : ngx_align((size_t)bytes, ngx_pagesize);
}

static char *declare_zone(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_str_t options[N_OPTIONS] = {ngx_null_string};
    (void)command;
    if (read_options(cf, options) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    if (!is_name(&options[NAME])) {
        return complain(cf, "expected name= and 1 to 63 letters, digits or \"-_.\"",
                        &options[NAME]);
    }
    struct nginx_limit_zone *zone = find_zone(cf, data, &options[NAME]);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }
    if (zone->bytes != 0) {
        return complain(cf, "the zone is declared twice", &zone->name);
    }
    zone->bytes = parse_size(&options[SIZE]);
    zone->rate_milli = parse_rate(&options[RATE]);
    if (zone->bytes == 0) {
        return complain(cf, "expected size= and at least 64k", &options[SIZE]);
    }
    if (zone->rate_milli == 0) {
        return complain(cf, "expected rate= such as 10r/s or 30r/m", &options[RATE]);
    }
    zone->file = options[PATH];
    if (zone->file.data != NULL && ngx_conf_full_name(cf->cycle, &zone->file, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    return compile_key(cf, zone, &options[KEY]);
}

/* --- slabmill_limit zone=NAME [burst=N] [nodelay] --- */

/* False: not one of the directive's words. */
static bool read_word(const ngx_str_t *word, ngx_str_t *name, struct nginx_limit_rule *rule)
{
    if (word->len == 7 && ngx_strncmp(word->data, "nodelay", 7) == 0) {
        rule->has_no_delay = true;
        return true;
    }
    ngx_str_t value = value_of(word, "burst");
    if (value.data != NULL) {
        ngx_int_t burst = ngx_atoi(value.data, value.len);
        rule->burst_milli = burst >= 0 && burst <= 4000000 ? (uint32_t)burst * 1000u : 0;
        return burst >= 0 && burst <= 4000000;
    }
    *name = value_of(word, "zone");
    return name->data != NULL;
}

static char *limit_location(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    struct nginx_limit_rule *rule = data;
    const ngx_str_t *words = cf->args->elts;
    ngx_str_t name = ngx_null_string;
    (void)command;
    if (rule->zone != NULL) {
        return "is duplicate";
    }
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        if (!read_word(&words[i], &name, rule)) {
            return complain(cf, "expected zone=NAME, burst=N up to 4000000, or nodelay", &words[i]);
        }
    }
    if (!is_name(&name)) {
        return complain(cf, "expected zone= and the name of a zone", &name);
    }
    rule->zone = find_zone(
        cf, ngx_http_conf_get_module_main_conf(cf, ngx_http_slabmill_limit_module), &name);
    return rule->zone == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}

/* --- slabmill_limit_status --- */

static ngx_int_t send_status(ngx_http_request_t *r)
{
    struct main_conf *conf = ngx_http_get_module_main_conf(r, ngx_http_slabmill_limit_module);
    return nginx_limit_send_status(r, &conf->zones);
}

static char *show_status(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    ngx_http_core_loc_conf_t *location =
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    (void)command;
    (void)data;
    location->handler = send_status;
    return NGX_CONF_OK;
}

/* --- The http module --- */

static ngx_int_t limit_request(ngx_http_request_t *r)
{
    return nginx_limit_request(r, ngx_http_get_module_loc_conf(r, ngx_http_slabmill_limit_module));
}

static ngx_int_t add_handler(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *handler = ngx_array_push(&core->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }
    *handler = limit_request;
    return NGX_OK;
}

static void *create_main_conf(ngx_conf_t *cf)
{
    struct main_conf *conf = ngx_pcalloc(cf->pool, sizeof *conf);
    if (conf == NULL ||
        ngx_array_init(&conf->zones, cf->pool, 4, sizeof(struct nginx_limit_zone *)) != NGX_OK) {
        return NULL;
    }
    return nginx_limit_zones_keep(cf->cycle) == NGX_OK ? conf : NULL;
}

static char *check_main_conf(ngx_conf_t *cf, void *data)
{
    struct main_conf *conf = data;
    struct nginx_limit_zone **zone = conf->zones.elts;
    for (ngx_uint_t i = 0; i < conf->zones.nelts; i++) {
        if (zone[i]->bytes == 0) {
            return complain(cf, "no slabmill_limit_zone has that name", &zone[i]->name);
        }
    }
    return NGX_CONF_OK;
}

static void *create_location(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct nginx_limit_rule));
}

static char *inherit_location(ngx_conf_t *cf, void *outer, void *inner)
{
    struct nginx_limit_rule *rule = inner;
    (void)cf;
    if (rule->zone == NULL) {
        *rule = *(const struct nginx_limit_rule *)outer;
    }
    return NGX_CONF_OK;
}

static ngx_command_t commands[] = {
    {ngx_string("slabmill_limit_zone"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE, declare_zone,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("slabmill_limit"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE123, limit_location,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("slabmill_limit_status"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, show_status, 0, 0,
     NULL},
    ngx_null_command,
};

static ngx_http_module_t http_context = {
    .postconfiguration = add_handler,
    .create_main_conf = create_main_conf,
    .init_main_conf = check_main_conf,
    .create_loc_conf = create_location,
    .merge_loc_conf = inherit_location,
};

/* --- The core module --- */

/* NULL: the configuration has no http block. */
static ngx_array_t *zones_of(ngx_cycle_t *cycle)
{
    struct main_conf *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_slabmill_limit_module);
    return conf == NULL ? NULL : &conf->zones;
}

static ngx_int_t make_zones(ngx_cycle_t *cycle, bool is_reload)
{
    ngx_array_t *zones = zones_of(cycle);
    if (zones == NULL || ngx_test_config || ngx_is_init_cycle(cycle->old_cycle) == is_reload) {
        return NGX_OK;
    }
    return nginx_limit_zones_apply(cycle, zones);
}

/* The configuration was read. */
static char *init_reload(ngx_cycle_t *cycle, void *conf)
{
    (void)conf;
    return make_zones(cycle, true) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

/* The sockets are open. NGX_ERROR ends nginx. */
static ngx_int_t init_start(ngx_cycle_t *cycle)
{
    return make_zones(cycle, false);
}

static ngx_int_t init_worker(ngx_cycle_t *cycle)
{
    ngx_array_t *zones = zones_of(cycle);
    if (zones != NULL) {
        nginx_limit_zones_take(zones);
    }
    return NGX_OK;
}

static ngx_core_module_t core_context = {ngx_string("slabmill_limit"), NULL, init_reload};

ngx_module_t ngx_http_slabmill_limit_module = {
    NGX_MODULE_V1, &http_context, commands, NGX_HTTP_MODULE,       NULL, NULL, NULL, NULL,
    NULL,          NULL,          NULL,     NGX_MODULE_V1_PADDING,
};

ngx_module_t ngx_slabmill_limit_zones_module = {
    NGX_MODULE_V1, &core_context, NULL, NGX_CORE_MODULE,       NULL, init_start, init_worker, NULL,
    NULL,          NULL,          NULL, NGX_MODULE_V1_PADDING,
};
