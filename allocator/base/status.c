/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of the result codes. */
#include <slabmill/status.h>

#define STATUS_NAME(code, text) #code,
#define STATUS_TEXT(code, text) text,

static const char *const names[] = {SLM_STATUS_LIST(STATUS_NAME)};
static const char *const texts[] = {SLM_STATUS_LIST(STATUS_TEXT)};

const char *slm_status_name(enum slm_status status)
{
    return (unsigned)status < SLM_STATUS_COUNT ? names[status] : "SLM_?";
}

const char *slm_status_text(enum slm_status status)
{
    return (unsigned)status < SLM_STATUS_COUNT ? texts[status] : "an unknown result code";
}
