/* SPDX-License-Identifier: Apache-2.0 */
/* Searches of the test's PKCS#11 module. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/p11_soft_int.h"

static bool fits(const struct soft_object *o, const CK_ATTRIBUTE *a, CK_ULONG n)
{
    bool shown = soft_ulong(o, CKA_CLASS) != CKO_HW_FEATURE;
    CK_ULONG i;

    for (i = 0; i < n; i++) {
        const struct soft_attr *have = soft_get(o, a[i].type);

        if (have == NULL || have->n != a[i].ulValueLen ||
            (have->n > 0 && memcmp(have->p, a[i].pValue, have->n) != 0))
            return false;
        shown = shown || a[i].type == CKA_CLASS; /* by name only */
    }
    return shown;
}

CK_RV soft_find_init(CK_SESSION_HANDLE sh, const CK_ATTRIBUTE *a, CK_ULONG n)
{
    struct soft_session *s = soft_session(sh);
    struct soft_object *o;
    size_t most = 1;

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (s->searching)
        return CKR_OPERATION_ACTIVE;
    soft_load(s->slot);
    for (o = s->slot->objects; o != NULL; o = o->next)
        most++;
    free(s->found);
    s->found = calloc(most, sizeof(*s->found));
    if (s->found == NULL)
        return CKR_HOST_MEMORY;
    s->found_n = s->found_at = 0;
    for (o = s->slot->objects; o != NULL; o = o->next)
        if (soft_sees(s, o) && fits(o, a, n))
            s->found[s->found_n++] = o->h;
    s->searching = true;
    return CKR_OK;
}

CK_RV soft_find(CK_SESSION_HANDLE sh, CK_OBJECT_HANDLE *out, CK_ULONG max,
                CK_ULONG *n)
{
    struct soft_session *s = soft_session(sh);

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (!s->searching)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (n == NULL || (out == NULL && max > 0))
        return CKR_ARGUMENTS_BAD;
    if (s->slot->at_a_time > 0 && max > s->slot->at_a_time)
        max = s->slot->at_a_time;
    for (*n = 0; *n < max && s->found_at < s->found_n; ++*n)
        out[*n] = s->found[s->found_at++];
    return CKR_OK;
}

CK_RV soft_find_final(CK_SESSION_HANDLE sh)
{
    struct soft_session *s = soft_session(sh);

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (!s->searching)
        return CKR_OPERATION_NOT_INITIALIZED;
    s->searching = false;
    return CKR_OK;
}
