/* SPDX-License-Identifier: Apache-2.0 */
/* Which tokens are there, and which of them a URI means. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/p11.h"

#define SLOTS 256

/* --- noting what was seen --- */

static bool same(const struct p11_token *a, const struct p11_token *b)
{
    return strcmp(a->label, b->label) == 0 &&
           strcmp(a->serial, b->serial) == 0 &&
           strcmp(a->manufacturer, b->manufacturer) == 0 &&
           strcmp(a->model, b->model) == 0;
}

static struct p11_token *token_for(struct p11_module *m,
                                   const struct p11_token *like)
{
    struct p11_token *t;

    for (t = m->tokens; t != NULL; t = t->next)
        if (!t->present && same(t, like))
            return t;
    t = OPENSSL_zalloc(sizeof(*t));
    if (t == NULL)
        return NULL;
    *t = *like;
    t->module = m;
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->login_lock, NULL);
    pthread_cond_init(&t->freed, NULL);
    t->epoch = 1;
    t->next = m->tokens;
    m->tokens = t;
    return t;
}

static int note(struct p11_module *m, const struct p11_token *like)
{
    struct p11_token *t = token_for(m, like);

    if (t == NULL)
        return hwk_raise(HWK_R_MEMORY, "token");
    memcpy(t->slot_description, like->slot_description,
           sizeof(t->slot_description));
    memcpy(t->slot_manufacturer, like->slot_manufacturer,
           sizeof(t->slot_manufacturer));
    t->slot_id = like->slot_id;
    t->login_required = like->login_required;
    t->protected_path = like->protected_path;
    t->present = true;
    return 1;
}

static void none_present(struct p11_module *m)
{
    struct p11_token *t;

    for (t = m->tokens; t != NULL; t = t->next)
        t->present = false;
}

/* --- the first look at a module is libp11's --- */

static void copy(char *out, size_t max, const char *from)
{
    size_t n;

    snprintf(out, max, "%s", from != NULL ? from : "");
    for (n = strlen(out); n > 0 && out[n - 1] == ' '; n--)
        out[n - 1] = 0;
}

static int note_slot(struct p11_module *m, PKCS11_SLOT *slot)
{
    const PKCS11_TOKEN *token = slot->token;
    struct p11_token like = {0};

    if (token == NULL || !token->initialized)
        return 1;
    copy(like.label, sizeof(like.label), token->label);
    copy(like.manufacturer, sizeof(like.manufacturer), token->manufacturer);
    copy(like.model, sizeof(like.model), token->model);
    copy(like.serial, sizeof(like.serial), token->serialnr);
    copy(like.slot_description, sizeof(like.slot_description),
         slot->description);
    copy(like.slot_manufacturer, sizeof(like.slot_manufacturer),
         slot->manufacturer);
    like.slot_id = PKCS11_get_slotid_from_slot(slot);
    like.login_required = token->loginRequired != 0;
    like.protected_path = token->secureLogin != 0;
    return note(m, &like);
}

int p11_scan(struct p11_module *m)
{
    unsigned i;

    if (PKCS11_enumerate_slots(m->ctx, &m->slots, &m->n_slots) != 0)
        return hwk_raise(HWK_R_PKCS11, "%s: the slots cannot be listed",
                         m->path);
    none_present(m);
    for (i = 0; i < m->n_slots; i++)
        if (!note_slot(m, &m->slots[i]))
            return 0;
    return 1;
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

static int look_at(struct p11_module *m, CK_SLOT_ID id)
{
    struct p11_token like = {0};
    CK_SLOT_INFO slot;
    CK_TOKEN_INFO token;
    CK_RV rv = P11(m, C_GetSlotInfo, id, &slot);

    if (rv == CKR_OK)
        rv = P11(m, C_GetTokenInfo, id, &token);
    if (rv == CKR_CRYPTOKI_NOT_INITIALIZED)
        return p11_raise("C_GetTokenInfo", rv);
    if (rv != CKR_OK || (token.flags & CKF_TOKEN_INITIALIZED) == 0)
        return 1;
    COPY(like.label, token.label);
    COPY(like.manufacturer, token.manufacturerID);
    COPY(like.model, token.model);
    COPY(like.serial, token.serialNumber);
    COPY(like.slot_description, slot.slotDescription);
    COPY(like.slot_manufacturer, slot.manufacturerID);
    like.slot_id = id;
    like.login_required = (token.flags & CKF_LOGIN_REQUIRED) != 0;
    like.protected_path =
        (token.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
    return note(m, &like);
}

int p11_scan_again(struct p11_module *m)
{
    CK_SLOT_ID id[SLOTS];
    CK_ULONG i, n = SLOTS;
    CK_RV rv = P11(m, C_GetSlotList, CK_TRUE, id, &n);

    if (rv != CKR_OK)
        return p11_raise("C_GetSlotList", rv);
    none_present(m);
    for (i = 0; i < n; i++)
        if (!look_at(m, id[i]))
            return 0;
    return 1;
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
           (!uri->has_slot_id || uri->slot_id == t->slot_id);
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
    int before = c->n;

    collect_tokens(c, m);
    if (c->n == before && m->rescan && p11_module_rescan(m))
        collect_tokens(c, m);
    m->rescan = true; /* the first look was fresh; later ones may be stale */
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
    if (!p11_each_module(st, uri, collect_module, &c)) {
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
