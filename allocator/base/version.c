/* SPDX-License-Identifier: Apache-2.0 */
/* The library's version. */
#include <slabmill/version.h>

const char *slm_version(void)
{
    return SLM_VERSION_STRING;
}
