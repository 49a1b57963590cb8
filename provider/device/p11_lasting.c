/* SPDX-License-Identifier: Apache-2.0 */
/* What a token says of how lasting things are: an object's attributes, and its
 * monotonic counter. */
#include <openssl/crypto.h>

#include "provider/device/p11_dev.h"

/* --- an object --- */

/* one at a time: some do not know all of them, and some then say nothing */
static CK_RV truth(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h,
                   CK_ATTRIBUTE_TYPE type, bool unsaid, bool *out)
{
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE a = {type, &value, sizeof(value)};
    CK_RV rv = P11(t->module, C_GetAttributeValue, s, h, &a, 1);

    *out = unsaid;
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID)
        return CKR_OK;
    if (rv == CKR_OK && a.ulValueLen != sizeof(value))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    *out = value != CK_FALSE;
    return rv;
}

CK_RV p11_lasting(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h,
                  struct hwk_object_info *out)
{
    bool token = false, destroyable = true;
    CK_RV rv = truth(t, s, h, CKA_PRIVATE, false, &out->hidden);

    if (rv == CKR_OK)
        rv = truth(t, s, h, CKA_TOKEN, false, &token);
    if (rv == CKR_OK)
        rv = truth(t, s, h, CKA_DESTROYABLE, true, &destroyable);
    out->fleeting = !token;
    out->kept = !destroyable;
    return rv;
}

/* --- the counter --- */

/* no such class, no such feature */
static bool not_offered(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID ||
           rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV find_counter(struct p11_token *t, CK_SESSION_HANDLE s,
                          CK_OBJECT_HANDLE *h, CK_ULONG *n)
{
    CK_OBJECT_CLASS class = CKO_HW_FEATURE;
    CK_ULONG feature = CKH_MONOTONIC_COUNTER;
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_HW_FEATURE_TYPE, &feature, sizeof(feature)}};
    CK_RV rv = P11(t->module, C_FindObjectsInit, s, a, 2);

    *n = 0;
    if (rv != CKR_OK)
        return not_offered(rv) ? CKR_OK : rv;
    rv = P11(t->module, C_FindObjects, s, h, 1, n);
    P11(t->module, C_FindObjectsFinal, s);
    return rv;
}

static CK_RV read_counter(struct p11_token *t, CK_SESSION_HANDLE s,
                          CK_OBJECT_HANDLE h, uint64_t *value, bool *was_reset)
{
    uint8_t bytes[8];
    CK_ATTRIBUTE a = {CKA_VALUE, bytes, sizeof(bytes)};
    CK_RV rv = P11(t->module, C_GetAttributeValue, s, h, &a, 1);
    CK_ULONG i;

    if (rv == CKR_OK && (a.ulValueLen == 0 || a.ulValueLen > sizeof(bytes)))
        rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (rv != CKR_OK)
        return rv;
    for (*value = 0, i = 0; i < a.ulValueLen; i++)
        *value = *value << 8 | bytes[i];
    return truth(t, s, h, CKA_HAS_RESET, false, was_reset);
}

int p11_dev_count(void *state, void *dev, uint64_t *value, bool *was_reset)
{
    struct p11_dev *d = dev;
    struct p11_session s;
    CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
    CK_ULONG n;
    uint64_t v = 0;
    bool reset = false;
    CK_RV rv;

    (void)state;
    if (!p11_session_get(d->t, false, &s))
        return 0;
    rv = find_counter(d->t, s.h, &h, &n);
    if (rv == CKR_OK && n > 0)
        rv = read_counter(d->t, s.h, h, &v, &reset);
    if (p11_lost(rv))
        p11_token_lost(d->t, s.epoch, rv);
    p11_session_put(d->t, &s, false, rv != CKR_OK);
    if (rv != CKR_OK)
        return p11_raise("monotonic counter", rv);
    if (n == 0)
        return hwk_raise(HWK_R_NOT_FOUND, "token '%s' has no monotonic counter",
                         d->t->label);
    *value = v;
    *was_reset = reset;
    return 1;
}
