/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of the test's PKCS#11 module: lists of attributes. */
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "tests/lib/p11_soft_int.h"

/* --- attributes --- */

const struct soft_attr *soft_get(const struct soft_object *o,
                                 CK_ATTRIBUTE_TYPE type)
{
    size_t i;

    for (i = 0; i < o->n; i++)
        if (o->a[i].type == type)
            return &o->a[i];
    return NULL;
}

bool soft_true(const struct soft_object *o, CK_ATTRIBUTE_TYPE type)
{
    const struct soft_attr *a = soft_get(o, type);

    return a != NULL && a->n == sizeof(CK_BBOOL) && a->p[0] != CK_FALSE;
}

CK_ULONG soft_ulong(const struct soft_object *o, CK_ATTRIBUTE_TYPE type)
{
    const struct soft_attr *a = soft_get(o, type);
    CK_ULONG value = CK_UNAVAILABLE_INFORMATION;

    if (a != NULL && a->n == sizeof(value))
        memcpy(&value, a->p, sizeof(value));
    return value;
}

bool soft_set(struct soft_object *o, CK_ATTRIBUTE_TYPE type, const void *p,
              size_t n)
{
    uint8_t *copy = malloc(n + 1);
    size_t i;

    for (i = 0; i < o->n && o->a[i].type != type; i++)
        ;
    if (copy == NULL || i == SOFT_ATTRS) {
        free(copy);
        return false;
    }
    if (n > 0)
        memcpy(copy, p, n);
    if (i < o->n)
        free(o->a[i].p);
    else
        o->n++;
    o->a[i] = (struct soft_attr){type, copy, n};
    return true;
}

bool soft_set_bool(struct soft_object *o, CK_ATTRIBUTE_TYPE type, bool value)
{
    CK_BBOOL b = value ? CK_TRUE : CK_FALSE;

    return soft_set(o, type, &b, sizeof(b));
}

bool soft_set_ulong(struct soft_object *o, CK_ATTRIBUTE_TYPE type,
                    CK_ULONG value)
{
    return soft_set(o, type, &value, sizeof(value));
}

bool soft_default_bool(struct soft_object *o, CK_ATTRIBUTE_TYPE type,
                       bool value)
{
    return soft_get(o, type) != NULL || soft_set_bool(o, type, value);
}

/* --- coming and going --- */

struct soft_object *soft_object_new(struct soft_session *s,
                                    const CK_ATTRIBUTE *a, CK_ULONG n)
{
    struct soft_object *o = calloc(1, sizeof(*o));
    CK_ULONG i;
    bool ok = o != NULL;

    for (i = 0; i < n && ok; i++)
        ok = soft_set(o, a[i].type, a[i].pValue, a[i].ulValueLen);
    ok = ok && soft_default_bool(o, CKA_TOKEN, false) &&
         soft_default_bool(o, CKA_PRIVATE, false) &&
         soft_default_bool(o, CKA_MODIFIABLE, true) &&
         soft_default_bool(o, CKA_DESTROYABLE, true);
    if (!ok) {
        soft_object_free(o);
        return NULL;
    }
    o->slot = s->slot;
    o->owner = soft_true(o, CKA_TOKEN) ? 0 : s->h;
    RAND_bytes_ex(soft.libctx, (unsigned char *)&o->uid, sizeof(o->uid), 0);
    return o;
}

void soft_object_free(struct soft_object *o)
{
    size_t i;

    if (o == NULL)
        return;
    for (i = 0; i < o->n; i++)
        free(o->a[i].p);
    EVP_PKEY_free(o->key);
    free(o);
}

CK_RV soft_may_add(const struct soft_session *s, const struct soft_object *o)
{
    if (o->owner == 0 && !s->rw)
        return CKR_SESSION_READ_ONLY;
    if (soft_true(o, CKA_PRIVATE) && !s->slot->logged_in && !s->slot->no_login)
        return CKR_USER_NOT_LOGGED_IN;
    return CKR_OK;
}

void soft_append(struct soft_slot *slot, struct soft_object *o)
{
    struct soft_object **at = &slot->objects;

    while (*at != NULL)
        at = &(*at)->next;
    o->h = ++soft.last_object;
    o->slot = slot;
    o->next = NULL;
    *at = o;
}

static uint8_t *counter_bytes(uint64_t value, uint8_t out[static 8])
{
    size_t i;

    for (i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    return out;
}

bool soft_counter(struct soft_slot *slot, uint64_t value)
{
    struct soft_object *o;
    uint8_t bytes[8];

    for (o = slot->objects; o != NULL; o = o->next)
        if (soft_ulong(o, CKA_CLASS) == CKO_HW_FEATURE)
            return soft_set(o, CKA_VALUE, counter_bytes(value, bytes), 8);
    o = calloc(1, sizeof(*o));
    if (o == NULL || !soft_set_ulong(o, CKA_CLASS, CKO_HW_FEATURE) ||
        !soft_set_ulong(o, CKA_HW_FEATURE_TYPE, CKH_MONOTONIC_COUNTER) ||
        !soft_set_bool(o, CKA_HAS_RESET, false) ||
        !soft_set(o, CKA_VALUE, counter_bytes(value, bytes), 8)) {
        soft_object_free(o);
        return false;
    }
    soft_append(slot, o);
    return true;
}

/* it has gone on whenever somebody looks */
static void tick(struct soft_object *o)
{
    const struct soft_attr *a = soft_get(o, CKA_VALUE);
    uint64_t value = 0;
    uint8_t bytes[8];
    size_t i;

    for (i = 0; i < a->n; i++)
        value = value << 8 | a->p[i];
    soft_set(o, CKA_VALUE, counter_bytes(value + 1, bytes), 8);
}

CK_OBJECT_HANDLE soft_add(struct soft_session *s, struct soft_object *o)
{
    soft_append(s->slot, o);
    if (o->owner == 0)
        soft_save(s->slot);
    return o->h;
}

void soft_drop_session_objects(struct soft_slot *slot, CK_SESSION_HANDLE owner)
{
    struct soft_object **at = &slot->objects, *o;

    while ((o = *at) != NULL) {
        if (o->owner == owner && owner != 0) {
            *at = o->next;
            soft_object_free(o);
        } else {
            at = &o->next;
        }
    }
}

/* within each class, every object gets the handle of the one before it */
void soft_deal_handles(struct soft_slot *slot)
{
    CK_OBJECT_CLASS class;
    struct soft_object *o;

    for (class = CKO_DATA; class <= CKO_SECRET_KEY; class ++) {
        CK_OBJECT_HANDLE h = 0, next;

        for (o = slot->objects; o != NULL; o = o->next)
            if (soft_ulong(o, CKA_CLASS) == class)
                h = o->h;
        for (o = slot->objects; o != NULL; o = o->next)
            if (soft_ulong(o, CKA_CLASS) == class) {
                next = o->h;
                o->h = h;
                h = next;
            }
    }
}

bool soft_sees(const struct soft_session *s, const struct soft_object *o)
{
    return !soft_true(o, CKA_PRIVATE) || s->slot->logged_in ||
           s->slot->no_login;
}

struct soft_object *soft_object(const struct soft_session *s,
                                CK_OBJECT_HANDLE h)
{
    struct soft_object *o;

    for (o = s->slot->objects; o != NULL; o = o->next)
        if (o->h == h)
            return soft_sees(s, o) ? o : NULL;
    return NULL;
}

/* a session and one of its objects, or why not */
static CK_RV both(CK_SESSION_HANDLE sh, CK_OBJECT_HANDLE oh,
                  struct soft_session **s, struct soft_object **o)
{
    *s = soft_session(sh);
    if (*s == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    *o = soft_object(*s, oh);
    return *o != NULL ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}

CK_RV soft_destroy(CK_SESSION_HANDLE sh, CK_OBJECT_HANDLE h)
{
    struct soft_session *s;
    struct soft_object *o, **at;
    CK_RV rv = both(sh, h, &s, &o);

    if (rv == CKR_OK && o->owner == 0 && !s->rw)
        rv = CKR_SESSION_READ_ONLY;
    if (rv == CKR_OK && !soft.destroys_all &&
        soft_get(o, CKA_DESTROYABLE) != NULL && !soft_true(o, CKA_DESTROYABLE))
        rv = CKR_ACTION_PROHIBITED;
    if (rv != CKR_OK)
        return rv;
    for (at = &s->slot->objects; *at != o; at = &(*at)->next)
        ;
    *at = o->next;
    if (o->owner == 0)
        soft_save(s->slot);
    soft_object_free(o);
    return CKR_OK;
}

/* --- reading and changing --- */

static bool secret(const struct soft_object *o, CK_ATTRIBUTE_TYPE type)
{
    CK_OBJECT_CLASS class = soft_ulong(o, CKA_CLASS);

    if (type == SOFT_CKA_KEY)
        return true;
    if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
        return false;
    return (type == CKA_VALUE ||
            (type >= CKA_PRIVATE_EXPONENT && type <= CKA_COEFFICIENT)) &&
           (soft_true(o, CKA_SENSITIVE) || !soft_true(o, CKA_EXTRACTABLE));
}

static CK_RV get_value(const struct soft_object *o, CK_ATTRIBUTE *a)
{
    const struct soft_attr *have = soft_get(o, a->type);
    CK_ULONG room = a->ulValueLen;

    a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    if (secret(o, a->type))
        return CKR_ATTRIBUTE_SENSITIVE;
    if (have == NULL)
        return CKR_ATTRIBUTE_TYPE_INVALID;
    if (a->pValue != NULL && room < have->n)
        return CKR_BUFFER_TOO_SMALL;
    if (a->pValue != NULL && have->n > 0)
        memcpy(a->pValue, have->p, have->n);
    a->ulValueLen = have->n;
    return CKR_OK;
}

CK_RV soft_get_values(CK_SESSION_HANDLE sh, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *a,
                      CK_ULONG n)
{
    struct soft_session *s;
    struct soft_object *o;
    CK_RV one, rv = both(sh, h, &s, &o);
    CK_ULONG i;

    if (rv != CKR_OK)
        return rv;
    for (i = 0; i < n; i++) {
        if (a[i].type == CKA_VALUE && a[i].pValue != NULL &&
            soft_ulong(o, CKA_CLASS) == CKO_HW_FEATURE)
            tick(o);
        one = get_value(o, &a[i]);
        if (one != CKR_OK)
            rv = one;
        if (one != CKR_OK && s->slot->stop_at_first)
            break;
    }
    return rv;
}

CK_RV soft_set_values(CK_SESSION_HANDLE sh, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *a,
                      CK_ULONG n)
{
    struct soft_session *s;
    struct soft_object *o;
    CK_RV rv = both(sh, h, &s, &o);
    CK_ULONG i;

    if (rv == CKR_OK && o->owner == 0 && !s->rw)
        rv = CKR_SESSION_READ_ONLY;
    if (rv == CKR_OK && !soft_true(o, CKA_MODIFIABLE))
        rv = CKR_ATTRIBUTE_READ_ONLY;
    for (i = 0; i < n && rv == CKR_OK; i++) {
        if (a[i].type == CKA_CLASS || a[i].type == CKA_KEY_TYPE ||
            a[i].type == CKA_TOKEN || a[i].type == CKA_PRIVATE)
            rv = CKR_ATTRIBUTE_READ_ONLY;
        else if (!soft_set(o, a[i].type, a[i].pValue, a[i].ulValueLen))
            rv = CKR_HOST_MEMORY;
    }
    if (rv == CKR_OK && o->owner == 0)
        soft_save(s->slot);
    return rv;
}
