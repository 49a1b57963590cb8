/* SPDX-License-Identifier: Apache-2.0 */
/* One operation of a private key: its session, its handle, one retry after a
 * loss. */
#include "provider/device/p11.h"

/* the handle that counts in the epoch of the session */
static CK_RV handle_for(struct p11_ref *ref, const struct p11_session *s,
                        CK_OBJECT_HANDLE *out)
{
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&ref->token->lock);
    if (ref->epoch == s->epoch) {
        *out = ref->handle;
        pthread_mutex_unlock(&ref->token->lock);
        return CKR_OK;
    }
    pthread_mutex_unlock(&ref->token->lock);
    rv = p11_refind(ref, s, out);
    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&ref->token->lock);
    ref->handle = *out;
    ref->epoch = s->epoch;
    pthread_mutex_unlock(&ref->token->lock);
    return CKR_OK;
}

static int failed(struct p11_token *t, const char *what, CK_RV rv)
{
    if (rv == CKR_KEY_CHANGED)
        return hwk_raise(HWK_R_NOT_FOUND,
                         "token '%s': the key is not there any more", t->label);
    return p11_pin_raise(t, what, rv);
}

/* of the key or of what it was given: the operation has ended with it, or not
 * begun, and the session will do for the next one */
static bool session_is_well(CK_RV rv)
{
    switch (rv) {
    case CKR_OK:
    case CKR_DATA_INVALID:
    case CKR_DATA_LEN_RANGE:
    case CKR_ENCRYPTED_DATA_INVALID:
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
    case CKR_KEY_SIZE_RANGE:
    case CKR_KEY_TYPE_INCONSISTENT:
    case CKR_MECHANISM_INVALID:
    case CKR_MECHANISM_PARAM_INVALID:
        return true;
    default:
        return false;
    }
}

int p11_use(struct p11_ref *ref, const char *what, p11_operation *op, void *arg)
{
    struct p11_token *t = ref->token;
    struct p11_session s;
    CK_OBJECT_HANDLE key;
    CK_RV rv = CKR_OK;
    int tries;

    for (tries = 0; tries < 2; tries++) {
        if (!p11_session_get(t, false, &s))
            return 0;
        rv = handle_for(ref, &s, &key);
        if (rv == CKR_OK)
            rv = op(arg, ref, s.h, key);
        if (p11_lost(rv))
            p11_token_lost(t, s.epoch, rv);
        p11_session_put(t, &s, false, !session_is_well(rv));
        if (rv == CKR_OK)
            return 1;
        if (!p11_lost(rv))
            break;
    }
    return failed(t, what, rv);
}
