/* SPDX-License-Identifier: Apache-2.0 */
/* No call of the library is a cancellation point. */
#ifndef SLM_BASE_CANCEL_H
#define SLM_BASE_CANCEL_H

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Until slm_cancel_restore gets the result, the calling thread is not cancelled. Pairs nest. */
static inline int slm_cancel_off(void)
{
    int before;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void slm_cancel_restore(int before)
{
    (void)pthread_setcancelstate(before, &before);
}

#ifdef __cplusplus
}
#endif
#endif
