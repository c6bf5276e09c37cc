/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters: found by name or in a file, validated, and which operations each supports. */
#ifndef HRN_REGISTRY_H
#define HRN_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/program/program.h"
#include <slabmill/adapter.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    The adapters of a program are those that SLM_ADAPTER registered in it: the linker
 *          collects them in a section. Those of a plugin are loaded from its file. Both are checked
 *          before they are given out.
 * Safety   One thread. A loaded plugin stays loaded.
 * Failure  A text says what is wrong with a file or with a table.
 */

/* --- Abilities (can.c) --- */

#define HRN_BIT(n) (1u << (unsigned)(n))

/* HRN_BIT(kind) of each operation that the adapter supports; others do nothing. And HRN_CAN_SPARSE,
 * if it takes sparse regions, and HRN_CAN_THREADS. */
#define HRN_CAN_SPARSE  (UINT32_C(1) << 31)
#define HRN_CAN_THREADS (UINT32_C(1) << 30) /* it declares any_thread */
uint32_t hrn_can(const struct slm_adapter *adapter);

/* The alignment that alloc guarantees for the size. */
size_t hrn_align_of(const struct slm_adapter *adapter, void *self, size_t size_bytes);

/* The request as the declarations allow it: no size or alignment that the allocator is not asked
 * for. */
size_t hrn_asked_size(const struct slm_adapter *adapter, size_t size_bytes);
size_t hrn_asked_align(const struct slm_adapter *adapter, size_t align_bytes);

/* True if alloc_aligned may serve the alignment; false: it must refuse it. */
bool hrn_align_is_served(const struct slm_adapter *adapter, size_t align_bytes);

/* Requests above must be refused. */
size_t hrn_size_max(const struct slm_adapter *adapter);

/* The length of a region, for one of wanted_bytes. */
size_t hrn_region_length(const struct slm_adapter *adapter, size_t wanted_bytes);

/* "100 bytes", or "100 bytes at alignment 64" of a request for an alignment. Returns `text`. */
const char *hrn_request_text(const struct slm_adapter_request *rq, char *text);
#define HRN_REQUEST_TEXT_BYTES 64u

/* "ok", "bad_foreign", or "?" for another number. */
const char *hrn_answer_name(enum slm_adapter_answer answer);

/* --- Validation (validate.c) --- */

#define HRN_WRONG_TEXT_BYTES 4352u /* a path may be in it */

/* False, with a text that says what is wrong with the table: the field, and what it needs. */
bool hrn_adapter_is_sound(const struct slm_adapter *adapter, char *text, size_t text_bytes);

/* --- Adapters by name (registry.c) --- */

/* The adapters of this program, sorted by name; NULL after the last. */
const struct slm_adapter *hrn_adapter_at(size_t idx);

/* Finds an adapter of this program; NULL: unknown. */
const struct slm_adapter *hrn_adapter_find(const char *name);

/* False, with a text: two adapters of this program have one name, or one of them is not sound. */
bool hrn_adapters_are_sound(char *text, size_t text_bytes);

/* The adapters of the list [at, end), in the layout of this program, with names. The result is
 * sorted by name and ends in NULL. NULL, with a text: one is not sound, or doubled. */
const struct slm_adapter **hrn_adapters_of_list(const struct slm_adapter_entry *const *at,
                                                const struct slm_adapter_entry *const *end,
                                                char *text, size_t text_bytes);

/* The adapters of a shared object, as above. */
const struct slm_adapter **hrn_plugin_open(const char *path, char *text, size_t text_bytes);

#ifdef __cplusplus
}
#endif
#endif
