/* SPDX-License-Identifier: Apache-2.0 */
/* Which tokens are there, and which of them a URI means. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/p11.h"

#define SLOTS 1024 /* that we look at */

/* a token as it was seen in a slot */
struct sight {
    CK_SLOT_ID slot_id;
    bool login_required, protected_path;
    CK_FLAGS pin_flags;
    char label[33], manufacturer[33], model[17], serial[17];
    char slot_description[65], slot_manufacturer[33];
    bool noted;
};

/* what tells of mistyped PINs */
#define MISTYPED                                                               \
    (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED)

static atomic_uint scans;

unsigned p11_scans(void)
{
    return atomic_load(&scans);
}

static unsigned next_scan(void)
{
    return atomic_fetch_add(&scans, 1) + 1;
}

/* --- noting what was seen; module->lock is held --- */

static bool same(const struct p11_token *t, const struct sight *s)
{
    return strcmp(t->label, s->label) == 0 &&
           strcmp(t->serial, s->serial) == 0 &&
           strcmp(t->manufacturer, s->manufacturer) == 0 &&
           strcmp(t->model, s->model) == 0;
}

static struct p11_token *new_token(struct p11_module *m, const struct sight *s)
{
    struct p11_token *t = OPENSSL_zalloc(sizeof(*t));

    if (t == NULL)
        return NULL;
    strcpy(t->label, s->label);
    strcpy(t->manufacturer, s->manufacturer);
    strcpy(t->model, s->model);
    strcpy(t->serial, s->serial);
    t->module = m;
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->login_lock, NULL);
    pthread_cond_init(&t->freed, NULL);
    t->epoch = 1;
    t->next = m->tokens;
    m->tokens = t;
    return t;
}

static void note(struct p11_token *t, struct sight *s)
{
    strcpy(t->slot_description, s->slot_description);
    strcpy(t->slot_manufacturer, s->slot_manufacturer);
    atomic_store(&t->slot_id, s->slot_id);
    atomic_store(&t->login_required, s->login_required);
    atomic_store(&t->protected_path, s->protected_path);
    atomic_store(&t->pin_flags, s->pin_flags);
    atomic_store(&t->unsure, false);
    atomic_store(&t->present, true);
    t->marked = s->noted = true;
}

/* tokens that nothing tells apart stay where they were */
static void note_known(struct p11_module *m, struct sight *s, size_t n,
                       bool moved)
{
    struct p11_token *t;
    size_t i;

    for (i = 0; i < n; i++)
        for (t = m->tokens; t != NULL && !s[i].noted; t = t->next)
            if (!t->marked && same(t, &s[i]) &&
                (moved || t->slot_id == s[i].slot_id))
                note(t, &s[i]);
}

static int note_all(struct p11_module *m, struct sight *s, size_t n,
                    unsigned scan)
{
    struct p11_token *t;
    size_t i;
    int ok = 1;

    pthread_mutex_lock(&m->lock);
    for (t = m->tokens; t != NULL; t = t->next)
        t->marked = false;
    note_known(m, s, n, false);
    note_known(m, s, n, true);
    for (i = 0; i < n && ok; i++)
        if (!s[i].noted && (ok = (t = new_token(m, &s[i])) != NULL))
            note(t, &s[i]);
    for (t = m->tokens; t != NULL; t = t->next)
        if (t->marked)
            atomic_store(&t->scan, scan);
        else
            atomic_store(&t->present, false);
    pthread_mutex_unlock(&m->lock);
    return ok || hwk_raise(HWK_R_MEMORY, "token");
}

/* --- the first look at a module is libp11's --- */

static void copy(char *out, size_t max, const char *from)
{
    size_t n;

    snprintf(out, max, "%s", from != NULL ? from : "");
    for (n = strlen(out); n > 0 && out[n - 1] == ' '; n--)
        out[n - 1] = 0;
}

static CK_FLAGS mistyped(const PKCS11_TOKEN *token)
{
    return (token->userPinCountLow ? CKF_USER_PIN_COUNT_LOW : 0) |
           (token->userPinFinalTry ? CKF_USER_PIN_FINAL_TRY : 0) |
           (token->userPinLocked ? CKF_USER_PIN_LOCKED : 0);
}

static bool look_through(PKCS11_SLOT *slot, struct sight *s)
{
    const PKCS11_TOKEN *token = slot->token;

    if (token == NULL || !token->initialized)
        return false;
    memset(s, 0, sizeof(*s));
    copy(s->label, sizeof(s->label), token->label);
    copy(s->manufacturer, sizeof(s->manufacturer), token->manufacturer);
    copy(s->model, sizeof(s->model), token->model);
    copy(s->serial, sizeof(s->serial), token->serialnr);
    copy(s->slot_description, sizeof(s->slot_description), slot->description);
    copy(s->slot_manufacturer, sizeof(s->slot_manufacturer),
         slot->manufacturer);
    s->slot_id = PKCS11_get_slotid_from_slot(slot);
    s->login_required = token->loginRequired != 0;
    s->protected_path = token->secureLogin != 0;
    s->pin_flags = mistyped(token);
    return true;
}

int p11_first_look(struct p11_module *m)
{
    unsigned i, scan = next_scan();
    struct sight *s;
    size_t n = 0;
    int ok;

    if (PKCS11_enumerate_slots(m->ctx, &m->slots, &m->n_slots) != 0)
        return hwk_raise(HWK_R_PKCS11, "%s: the slots cannot be listed",
                         m->path);
    s = OPENSSL_malloc((m->n_slots + 1) * sizeof(*s));
    if (s == NULL)
        return hwk_raise(HWK_R_MEMORY, "slots");
    for (i = 0; i < m->n_slots; i++)
        n += look_through(&m->slots[i], &s[n]);
    ok = note_all(m, s, n, scan);
    OPENSSL_free(s);
    return ok;
}

/* --- later ones are ours: libp11 0.4.12 closes every session of a slot that it
 * lets go, and crashes in an update after the module was restarted --- */

#define COPY(to, from) copy_n(to, sizeof(to), from, sizeof(from))
static void copy_n(char *out, size_t max, const CK_UTF8CHAR *from, size_t n)
{
    while (n > 0 && (from[n - 1] == ' ' || from[n - 1] == 0))
        n--;
    n = n < max ? n : max - 1;
    memcpy(out, from, n);
    out[n] = 0;
}

static void token_to(struct sight *s, CK_SLOT_ID id, const CK_TOKEN_INFO *token)
{
    memset(s, 0, sizeof(*s));
    COPY(s->label, token->label);
    COPY(s->manufacturer, token->manufacturerID);
    COPY(s->model, token->model);
    COPY(s->serial, token->serialNumber);
    s->slot_id = id;
    s->login_required = (token->flags & CKF_LOGIN_REQUIRED) != 0;
    s->protected_path = (token->flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
    s->pin_flags = token->flags & MISTYPED;
}

/* a slot that fails is a slot without a token, as long as the module is up */
static CK_RV look_at(struct p11_module *m, CK_SLOT_ID id, struct sight *s,
                     size_t *n)
{
    CK_SLOT_INFO slot;
    CK_TOKEN_INFO token;
    CK_RV rv = P11(m, C_GetSlotInfo, id, &slot);

    if (rv == CKR_OK)
        rv = P11(m, C_GetTokenInfo, id, &token);
    if (rv == CKR_CRYPTOKI_NOT_INITIALIZED)
        return rv;
    if (rv != CKR_OK || (token.flags & CKF_TOKEN_INITIALIZED) == 0)
        return CKR_OK;
    token_to(s, id, &token);
    COPY(s->slot_description, slot.slotDescription);
    COPY(s->slot_manufacturer, slot.manufacturerID);
    ++*n;
    return CKR_OK;
}

static CK_RV list_slots(struct p11_module *m, CK_SLOT_ID **out, CK_ULONG *n)
{
    CK_ULONG room = 16;
    CK_RV rv = CKR_BUFFER_TOO_SMALL;

    for (; rv == CKR_BUFFER_TOO_SMALL && room <= SLOTS; room *= 8) {
        OPENSSL_free(*out);
        *out = OPENSSL_malloc(room * sizeof(**out));
        if (*out == NULL)
            return CKR_HOST_MEMORY;
        *n = room;
        rv = P11(m, C_GetSlotList, CK_TRUE, *out, n);
        if (rv == CKR_OK && *n > room)
            rv = CKR_GENERAL_ERROR;
    }
    return rv;
}

int p11_scan(struct p11_module *m, CK_RV *rv)
{
    CK_SLOT_ID *id = NULL;
    unsigned scan = next_scan();
    CK_ULONG i, slots = 0;
    struct sight *s = NULL;
    size_t n = 0;
    int ok = 0;

    *rv = list_slots(m, &id, &slots);
    if (*rv == CKR_OK)
        s = OPENSSL_malloc((slots + 1) * sizeof(*s));
    if (*rv == CKR_OK && s == NULL)
        *rv = CKR_HOST_MEMORY;
    for (i = 0; i < slots && *rv == CKR_OK; i++)
        *rv = look_at(m, id[i], &s[n], &n);
    ok = *rv == CKR_OK ? note_all(m, s, n, scan)
                       : p11_raise("C_GetSlotList", *rv);
    OPENSSL_free(s);
    OPENSSL_free(id);
    return ok;
}

CK_RV p11_confirm(struct p11_token *t)
{
    CK_SLOT_ID id = t->slot_id;
    CK_TOKEN_INFO token;
    struct sight s;
    CK_RV rv = P11(t->module, C_GetTokenInfo, id, &token);

    if (rv != CKR_OK)
        return rv;
    token_to(&s, id, &token);
    if (!same(t, &s))
        return CKR_SLOT_ID_INVALID;
    atomic_store(&t->pin_flags, s.pin_flags);
    atomic_store(&t->unsure, false);
    return CKR_OK;
}

/* --- which tokens --- */

static bool text(const struct hwk_str *want, const char *have)
{
    return want->p == NULL ||
           (strlen(have) == want->n && memcmp(have, want->p, want->n) == 0);
}

bool p11_token_matches(const struct p11_token *t, const struct hwk_uri *uri)
{
    const struct p11_module *m = t->module;

    return t->present && text(&uri->token, t->label) &&
           text(&uri->manufacturer, t->manufacturer) &&
           text(&uri->model, t->model) && text(&uri->serial, t->serial) &&
           text(&uri->slot_description, t->slot_description) &&
           text(&uri->slot_manufacturer, t->slot_manufacturer) &&
           text(&uri->library_manufacturer, m->manufacturer) &&
           text(&uri->library_description, m->description) &&
           (!uri->has_slot_id || uri->slot_id == t->slot_id) &&
           (!uri->has_library_version ||
            (uri->library_major == m->version.major &&
             uri->library_minor == m->version.minor));
}

/* the version is asked for when a URI has one: it costs a call */
static int learn_version(struct p11_module *m)
{
    CK_INFO info;
    CK_RV rv;

    if (m->has_version)
        return 1;
    rv = P11(m, C_GetInfo, &info);
    if (rv != CKR_OK)
        return p11_raise("C_GetInfo", rv);
    m->version = info.libraryVersion;
    m->has_version = true;
    return 1;
}

struct collect {
    const struct hwk_uri *uri;
    struct p11_token **out;
    int n, max;
};

static void collect_tokens(struct collect *c, struct p11_module *m)
{
    struct p11_token *t;

    pthread_mutex_lock(&m->lock);
    for (t = m->tokens; t != NULL && c->n < c->max; t = t->next)
        if (p11_token_matches(t, c->uri))
            c->out[c->n++] = t;
    pthread_mutex_unlock(&m->lock);
}

static int collect_module(void *arg, struct p11_module *m)
{
    struct collect *c = arg;

    if (c->uri->has_library_version && !learn_version(m))
        return -1;
    collect_tokens(c, m);
    return 1;
}

static int collect_again(void *arg, struct p11_module *m)
{
    if (!p11_module_rescan(m))
        return -1;
    collect_tokens(arg, m);
    return 1;
}

static void named_token(const struct hwk_uri *uri)
{
    if (uri->token.p != NULL)
        hwk_raise(HWK_R_NO_DEVICE, "token '%s' is not there", uri->token.p);
    else if (uri->serial.p != NULL)
        hwk_raise(HWK_R_NO_DEVICE, "a token with serial '%s' is not there",
                  uri->serial.p);
    else
        hwk_raise(HWK_R_NO_DEVICE, "no token fits the URI");
}

int p11_tokens(struct p11_state *st, const struct hwk_uri *uri,
               struct p11_token *out[], int max)
{
    struct collect c = {uri, out, 0, max};

    ERR_set_mark();
    if (!p11_each_module(st, uri, collect_module, &c) ||
        /* it may have come meanwhile */
        (c.n == 0 && !p11_each_module(st, uri, collect_again, &c))) {
        ERR_clear_last_mark();
        return -1;
    }
    if (c.n == 0) {
        ERR_clear_last_mark();
        named_token(uri);
        return -1;
    }
    ERR_pop_to_mark();
    return c.n;
}
