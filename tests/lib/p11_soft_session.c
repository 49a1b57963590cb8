/* SPDX-License-Identifier: Apache-2.0 */
/* Start, end, sessions and logins of the test's PKCS#11 module. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/provider.h>

#include "tests/lib/p11_soft_int.h"

struct soft soft = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- start and end --- */

/* the ids of the slots that have a token go round */
void soft_move(void)
{
    struct soft_slot *slot, *last = NULL;
    CK_SLOT_ID id = 0, next;

    for (slot = soft.slots; slot != NULL; slot = slot->next)
        if (!slot->empty) {
            id = slot->id;
            last = slot;
        }
    for (slot = soft.slots; last != NULL && slot != NULL; slot = slot->next)
        if (!slot->empty) {
            next = slot->id;
            slot->id = id;
            id = next;
        }
}

static bool make_libctx(void)
{
    if (soft.libctx == NULL)
        soft.libctx = OSSL_LIB_CTX_new();
    return soft.libctx != NULL;
}

CK_RV soft_initialize(void)
{
    bool child = soft.up && soft.pid != getpid();
    struct soft_slot *slot;

    if (soft.up && !child)
        return CKR_CRYPTOKI_ALREADY_INITIALIZED;
    if (!make_libctx())
        return CKR_HOST_MEMORY;
    soft_end_sessions(NULL);
    if (child && soft.moves_on_fork)
        soft_move();
    soft.up = true;
    soft.pid = getpid();
    soft.starts++;
    for (slot = soft.slots; slot != NULL; slot = slot->next) {
        soft_load(slot);
        if (soft.starts > 1)
            soft_deal_handles(slot);
    }
    return CKR_OK;
}

CK_RV soft_finalize(void)
{
    soft_end_sessions(NULL);
    soft.up = false;
    return CKR_OK;
}

/* --- slots --- */

struct soft_slot *soft_slot_by_id(CK_SLOT_ID id)
{
    struct soft_slot *slot;

    for (slot = soft.slots; slot != NULL; slot = slot->next)
        if (slot->id == id)
            return slot;
    return NULL;
}

struct soft_slot *soft_slot_by_number(unsigned long n)
{
    struct soft_slot *slot;

    for (slot = soft.slots; slot != NULL; slot = slot->next)
        if (slot->n == n)
            return slot;
    return NULL;
}

/* --- sessions --- */

struct soft_session *soft_session(CK_SESSION_HANDLE h)
{
    struct soft_session *s;

    for (s = soft.sessions; s != NULL; s = s->next)
        if (s->h == h)
            return s;
    return NULL;
}

unsigned soft_session_count(const struct soft_slot *slot, bool rw_only)
{
    const struct soft_session *s;
    unsigned n = 0;

    for (s = soft.sessions; s != NULL; s = s->next)
        n += (slot == NULL || s->slot == slot) && (!rw_only || s->rw);
    return n;
}

void soft_end_op(struct soft_session *s)
{
    EVP_PKEY_free(s->key);
    s->key = NULL;
    s->op = SOFT_IDLE;
    s->wants_auth = false;
}

static void end(struct soft_session **at)
{
    struct soft_session *s = *at;

    *at = s->next;
    soft_end_op(s);
    soft_drop_session_objects(s->slot, s->h);
    if (soft_session_count(s->slot, false) == 0)
        s->slot->logged_in = false;
    free(s->found);
    free(s);
}

void soft_end_sessions(struct soft_slot *slot)
{
    struct soft_session **at = &soft.sessions;

    while (*at != NULL) {
        if (slot == NULL || (*at)->slot == slot)
            end(at);
        else
            at = &(*at)->next;
    }
}

CK_RV soft_open(CK_SLOT_ID id, CK_FLAGS flags, CK_SESSION_HANDLE *out)
{
    struct soft_slot *slot = soft_slot_by_id(id);
    struct soft_session *s;

    if (slot == NULL)
        return CKR_SLOT_ID_INVALID;
    if (slot->empty)
        return CKR_TOKEN_NOT_PRESENT;
    if ((flags & CKF_SERIAL_SESSION) == 0)
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    if (out == NULL)
        return CKR_ARGUMENTS_BAD;
    if (slot->max_sessions > 0 &&
        soft_session_count(slot, false) >= slot->max_sessions)
        return CKR_SESSION_COUNT;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return CKR_HOST_MEMORY;
    s->slot = slot;
    s->rw = (flags & CKF_RW_SESSION) != 0;
    s->h = *out = ++soft.last_session;
    s->next = soft.sessions;
    soft.sessions = s;
    return CKR_OK;
}

CK_RV soft_close(CK_SESSION_HANDLE h)
{
    struct soft_session **at;

    for (at = &soft.sessions; *at != NULL; at = &(*at)->next)
        if ((*at)->h == h) {
            end(at);
            return CKR_OK;
        }
    return CKR_SESSION_HANDLE_INVALID;
}

CK_RV soft_session_info(CK_SESSION_HANDLE h, CK_SESSION_INFO *out)
{
    const struct soft_session *s = soft_session(h);

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (out == NULL)
        return CKR_ARGUMENTS_BAD;
    memset(out, 0, sizeof(*out));
    out->slotID = s->slot->id;
    out->flags = CKF_SERIAL_SESSION | (s->rw ? CKF_RW_SESSION : 0);
    if (s->slot->logged_in)
        out->state = s->rw ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
    else
        out->state = s->rw ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
    return CKR_OK;
}

/* --- logins --- */

static CK_RV check_pin(struct soft_slot *slot, const CK_BYTE *pin, CK_ULONG n)
{
    if (slot->wrong >= slot->tries)
        return CKR_PIN_LOCKED;
    if (slot->protected)
        return pin == NULL ? CKR_OK : CKR_ARGUMENTS_BAD;
    if (pin == NULL)
        return CKR_ARGUMENTS_BAD;
    if (strlen(slot->pin) != n || memcmp(slot->pin, pin, n) != 0) {
        slot->wrong++;
        return CKR_PIN_INCORRECT;
    }
    slot->wrong = 0;
    return CKR_OK;
}

static CK_RV for_one_use(struct soft_session *s, const CK_BYTE *pin, CK_ULONG n)
{
    bool idle = s->op == SOFT_IDLE;
    CK_RV rv;

    if (idle && !s->slot->derive_auth)
        return CKR_OPERATION_NOT_INITIALIZED;
    rv = check_pin(s->slot, pin, n);
    if (rv == CKR_OK && idle)
        s->may_derive = true;
    else if (rv == CKR_OK)
        s->wants_auth = false;
    return rv;
}

CK_RV soft_login(CK_SESSION_HANDLE h, CK_USER_TYPE user, const CK_BYTE *pin,
                 CK_ULONG n)
{
    struct soft_session *s = soft_session(h);
    CK_RV rv;

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (user == CKU_CONTEXT_SPECIFIC)
        return for_one_use(s, pin, n);
    if (user != CKU_USER)
        return CKR_USER_TYPE_INVALID;
    if (s->slot->logged_in)
        return CKR_USER_ALREADY_LOGGED_IN;
    rv = check_pin(s->slot, pin, n);
    if (rv == CKR_OK)
        s->slot->logged_in = true;
    return rv;
}

CK_RV soft_logout(CK_SESSION_HANDLE h)
{
    struct soft_session *s = soft_session(h);

    if (s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    if (!s->slot->logged_in)
        return CKR_USER_NOT_LOGGED_IN;
    s->slot->logged_in = false;
    return CKR_OK;
}
