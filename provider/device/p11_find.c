/* SPDX-License-Identifier: Apache-2.0 */
/* From a URI to the keys and certificates that libcrypto gets. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/p11.h"
#include "provider/spki.h"

#define TOKENS 64

struct p11_ref *p11_ref_new(struct p11_token *t, const struct p11_object *o,
                            unsigned epoch)
{
    struct p11_ref *ref = OPENSSL_zalloc(sizeof(*ref));

    if (ref == NULL) {
        hwk_raise(HWK_R_MEMORY, "key");
        return NULL;
    }
    ref->token = t;
    ref->pub = o->pub;
    memcpy(ref->id, o->id, o->id_len);
    ref->id_len = o->id_len;
    memcpy(ref->label, o->label, o->label_len);
    ref->label_len = o->label_len;
    ref->always_auth = o->always_auth;
    ref->handle = o->h;
    ref->epoch = epoch;
    return ref;
}

void p11_release(void *state, hwk_ref *ref)
{
    struct p11_ref *r = ref;

    (void)state;
    if (r->has_home)
        p11_session_end(r->token, &r->home);
    OPENSSL_free(r);
}

/* --- what was found on one token --- */

static void drop(struct p11_haul *h)
{
    size_t i;

    for (i = 0; h->der != NULL && i < h->n; i++)
        OPENSSL_free(h->der[i]);
    OPENSSL_free(h->der);
    OPENSSL_free(h->der_n);
    OPENSSL_free(h->o);
    memset(h, 0, sizeof(*h));
}

static CK_RV details(struct p11_haul *h, CK_SESSION_HANDLE s, unsigned want)
{
    CK_RV rv = CKR_OK;
    size_t i;

    h->der = OPENSSL_zalloc((h->n + 1) * sizeof(*h->der));
    h->der_n = OPENSSL_zalloc((h->n + 1) * sizeof(*h->der_n));
    if (h->der == NULL || h->der_n == NULL)
        return CKR_HOST_MEMORY;
    for (i = 0; i < h->n && rv == CKR_OK; i++) {
        struct p11_object *o = &h->o[i];

        if (o->class == CKO_PRIVATE_KEY)
            rv = p11_haul_public(h, s, o);
        else if (o->class == CKO_CERTIFICATE && (want & HWK_WANT_CERT) != 0 &&
                 h->der[i] == NULL)
            rv = p11_value(h->t, s, o->h, &h->der[i], &h->der_n[i]);
        if (rv != CKR_OK && !p11_lost(rv) && rv != CKR_HOST_MEMORY)
            rv = CKR_OK; /* this one's value, or that of a namesake */
    }
    return rv;
}

static bool any_private(const struct p11_haul *h)
{
    size_t i;

    for (i = 0; i < h->n; i++)
        if (h->o[i].class == CKO_PRIVATE_KEY)
            return true;
    return false;
}

/* in: private keys that are there are seen */
static int collect(struct p11_token *t, const struct hwk_uri *uri,
                   unsigned want, bool in, struct p11_haul *h)
{
    struct p11_session s;
    CK_RV rv = CKR_OK;
    int tries;

    memset(h, 0, sizeof(*h));
    h->t = t;
    for (tries = 0; tries < 2; tries++) {
        if (!p11_session_get(t, false, &s))
            return 0;
        h->epoch = s.epoch;
        rv = p11_search_for(t, s.h, NULL, uri, want, &h->o, &h->n);
        if (rv == CKR_OK && in && (want & HWK_WANT_PRIVATE) != 0 &&
            !any_private(h))
            rv = p11_still_in(t, &s);
        if (rv == CKR_OK)
            rv = details(h, s.h, want);
        if (p11_lost(rv))
            p11_token_lost(t, s.epoch, rv);
        p11_session_put(t, &s, false, rv != CKR_OK);
        if (rv == CKR_OK)
            return 1;
        drop(h);
        h->t = t;
        if (!p11_lost(rv))
            break;
    }
    return p11_pin_raise(t, "C_FindObjects", rv);
}

/* --- handing over --- */

static int give(struct p11_haul *h, size_t i, enum hwk_object_type type,
                bool with_ref, hwk_found_fn *each, void *arg)
{
    const struct p11_object *o = &h->o[i];
    struct hwk_found f;
    int r;

    memset(&f, 0, sizeof(f));
    f.type = type;
    p11_object_uri(h->t, o, f.uri);
    memcpy(f.label, o->label,
           o->label_len < sizeof(f.label) ? o->label_len : sizeof(f.label) - 1);
    f.pub = o->pub;
    f.der = h->der[i];
    f.der_len = h->der_n[i];
    f.limits = o->limits;
    if (!o->sign)
        f.flags |= HWK_FOUND_NO_SIGN;
    /* modules say of curves, too, that they decrypt */
    if (o->pub.type == HWK_KEY_RSA ? o->decrypt
                                   : o->derive && o->pub.type != HWK_KEY_ED)
        f.flags |= HWK_FOUND_DECRYPT;
    if (type == HWK_OBJ_PRIVATE && with_ref &&
        (f.ref = p11_ref_new(h->t, o, h->epoch)) == NULL)
        return -1;
    r = each(arg, &f);
    if (f.ref != NULL)
        p11_release(NULL, f.ref);
    return r;
}

static bool given_as_private(const struct p11_haul *h, size_t i)
{
    size_t j;

    for (j = 0; j < h->n; j++)
        if (h->o[j].class == CKO_PRIVATE_KEY && h->o[j].has_pub &&
            h->o[i].has_pub && hwk_pub_eq(&h->o[j].pub, &h->o[i].pub))
            return true;
    return false;
}

/* other kinds of certificates, and what is none, are passed over */
static bool readable(const uint8_t *der, size_t n)
{
    const uint8_t *spki;
    size_t spki_n;
    bool ok;

    ERR_set_mark();
    ok = hwk_spki_of_cert(der, n, &spki, &spki_n);
    ERR_pop_to_mark();
    return ok;
}

static enum hwk_object_type type_of(const struct p11_haul *h, size_t i,
                                    unsigned want)
{
    const struct p11_object *o = &h->o[i];

    if (o->class == CKO_CERTIFICATE && (want & HWK_WANT_CERT) != 0)
        return h->der[i] != NULL && readable(h->der[i], h->der_n[i])
                   ? HWK_OBJ_CERT
                   : 0;
    if (!o->has_pub && (want & HWK_WANT_NAMES) == 0)
        return 0;
    if (o->class == CKO_PRIVATE_KEY && (want & HWK_WANT_PRIVATE) != 0)
        return HWK_OBJ_PRIVATE;
    if ((want & HWK_WANT_PUBLIC) == 0)
        return 0;
    if (o->class == CKO_PUBLIC_KEY && !given_as_private(h, i))
        return HWK_OBJ_PUBLIC;
    return o->class == CKO_PRIVATE_KEY ? HWK_OBJ_PUBLIC : 0;
}

static int give_all(struct p11_haul *h, unsigned want, hwk_found_fn *each,
                    void *arg)
{
    int pass, r = 1;
    size_t i;

    for (pass = HWK_OBJ_PRIVATE; pass <= HWK_OBJ_CERT && r > 0; pass++)
        for (i = 0; i < h->n && r > 0; i++)
            if ((int)type_of(h, i, want) == pass)
                r = give(h, i, (enum hwk_object_type)pass,
                         (want & HWK_WANT_NAMES) == 0, each, arg);
    return r;
}

/* --- what a name may mean --- */

static bool names_object(const struct hwk_uri *uri)
{
    return uri->id.p != NULL || uri->object.p != NULL;
}

static bool given_before(const struct p11_haul *h, size_t i)
{
    size_t j;

    for (j = 0; j < i; j++)
        if (type_of(h, j, HWK_WANT_PRIVATE) != 0 &&
            hwk_pub_eq(&h->o[j].pub, &h->o[i].pub))
            return true;
    return false;
}

/* A program that opens a private key takes the first: with two different ones
 * of that name it would sign with whichever the token lists first. */
static int only_one_key(const struct p11_haul *h)
{
    char first[HWK_OBJECT_URI_MAX] = "", second[HWK_OBJECT_URI_MAX] = "";
    size_t i, n = 0;

    for (i = 0; i < h->n; i++) {
        if (type_of(h, i, HWK_WANT_PRIVATE) == 0 || given_before(h, i))
            continue;
        n++;
        p11_object_uri(h->t, &h->o[i], n == 1 ? first : second);
    }
    return n < 2 || hwk_raise(HWK_R_BAD_URI,
                              "%zu private keys fit: name one by id= and "
                              "object=, as in '%s' and '%s'",
                              n, first, second);
}

/* --- which tokens, and logging in --- */

static unsigned narrowed(const struct hwk_uri *uri, unsigned want)
{
    static const unsigned kinds[] = {
        [HWK_CLASS_ANY] = HWK_WANT_ANY,
        [HWK_CLASS_CERT] = HWK_WANT_CERT,
        [HWK_CLASS_PUBLIC] = HWK_WANT_PUBLIC,
        /* its public half is fair to ask for */
        [HWK_CLASS_PRIVATE] = HWK_WANT_PRIVATE | HWK_WANT_PUBLIC,
        [HWK_CLASS_SECRET] = 0,
    };
    unsigned kind = want & kinds[uri->type];

    return kind != 0 ? kind | (want & HWK_WANT_NAMES) : 0;
}

/* does the token show, without a login, something that fits? */
static bool shows(struct p11_token *t, const struct hwk_uri *uri)
{
    struct p11_object *o = NULL;
    size_t n = 0;

    ERR_set_mark();
    (void)!p11_search_once(t, NULL, uri, &o, &n);
    ERR_pop_to_mark();
    OPENSSL_free(o);
    return n > 0;
}

/* A PIN must not be tried on every token in sight: with several that fit, only
 * those that visibly hold what is looked for, and of these only one. */
static int settle(struct p11_token *t[], int n, const struct hwk_uri *uri)
{
    int i, kept = 0;

    for (i = 0; i < n; i++)
        if (atomic_load(&t[i]->logged_in) || !t[i]->login_required ||
            shows(t[i], uri))
            t[kept++] = t[i];
    if (kept > 1 && !names_object(uri))
        return kept;
    if (kept > 1)
        hwk_raise(HWK_R_BAD_URI,
                  "%d tokens fit ('%s', '%s'...): name one by "
                  "token= or serial=",
                  kept, t[0]->label, t[1]->label);
    if (kept == 0)
        hwk_raise(HWK_R_BAD_URI,
                  "%d tokens fit and none shows the object: "
                  "name one by token= or serial=",
                  n);
    return kept == 1 ? 1 : -1;
}

/* what is looked for, and how */
struct search {
    const struct hwk_uri *uri;
    const struct hwk_pin_ask *pin;
    unsigned want, since;
    int n_tokens;
};

/* 1 logged in (or no need); 0 fails; -1 go on with what is visible */
static int login_for(struct p11_token *t, const struct search *s)
{
    const struct hwk_pin_ask *pin = s->pin;

    if (pin->cfg->login == HWK_LOGIN_NEVER ||
        ((s->want & HWK_WANT_PRIVATE) == 0 &&
         pin->cfg->login != HWK_LOGIN_ALWAYS))
        return 1;
    if ((s->want & HWK_WANT_NAMES) != 0 && !atomic_load(&t->logged_in) &&
        t->login_required && !hwk_pin_at_hand(pin))
        return -1;
    if (s->n_tokens > 1 && !atomic_load(&t->logged_in) && t->login_required)
        return -1;
    ERR_set_mark();
    if (p11_login(t, pin, s->since)) {
        ERR_clear_last_mark();
        return 1;
    }
    if (s->want == HWK_WANT_PRIVATE || !hwk_err_is(HWK_R_PIN_MISSING)) {
        ERR_clear_last_mark();
        return 0;
    }
    ERR_pop_to_mark();
    return -1;
}

/* A public key or certificate that the token shows after a login only: worth
 * one when the PIN is at hand, never worth a prompt. */
static bool hidden(const struct p11_haul *h, const struct search *s,
                   unsigned want)
{
    return h->n == 0 && s->n_tokens == 1 &&
           s->pin->cfg->login == HWK_LOGIN_AUTO && names_object(s->uri) &&
           (want & HWK_WANT_PRIVATE) == 0 && h->t->login_required &&
           !atomic_load(&h->t->logged_in) && hwk_pin_at_hand(s->pin);
}

/* 1 go on, 0 enough, -1 fails */
static int find_on(struct p11_token *t, const struct search *s,
                   hwk_found_fn *each, void *arg)
{
    int login = login_for(t, s), r;
    unsigned want = s->want & (login < 0 ? ~HWK_WANT_PRIVATE : ~0u);
    bool in = s->pin->cfg->login != HWK_LOGIN_NEVER;
    struct p11_haul h;

    if (login == 0 || !collect(t, s->uri, want, in, &h))
        return -1;
    if (hidden(&h, s, want)) {
        drop(&h);
        if (!p11_login(t, s->pin, s->since) ||
            !collect(t, s->uri, want, in, &h))
            return -1;
    }
    if (want == HWK_WANT_PRIVATE && names_object(s->uri) && !only_one_key(&h))
        r = -1;
    else
        r = give_all(&h, want, each, arg);
    drop(&h);
    return r;
}

static int tokens_for(struct p11_state *st, const struct hwk_uri *uri,
                      struct p11_token *out[static TOKENS + 1])
{
    int n = p11_tokens(st, uri, out, TOKENS + 1);

    if (n <= TOKENS)
        return n;
    hwk_raise(HWK_R_BAD_URI,
              "more than %d tokens fit: name one by token=", TOKENS);
    return -1;
}

struct taker {
    hwk_found_fn *each;
    void *arg;
    bool any;
};

static int take(void *arg, struct hwk_found *f)
{
    struct taker *to = arg;

    to->any = true;
    return to->each(to->arg, f);
}

/* 1; 0 with a reason; -1 with one, too, but a token was not there any more, and
 * another may have come that the URI means */
static int find_now(struct p11_state *st, const struct hwk_uri *uri,
                    unsigned want, const struct hwk_pin_ask *pin,
                    struct taker *to)
{
    struct search s = {uri, pin, narrowed(uri, want), p11_scans(), 0};
    struct p11_token *tokens[TOKENS + 1];
    int i, r = 1, n = tokens_for(st, uri, tokens);

    if (n <= 0 || s.want == 0)
        return n > 0;
    if (n > 1 && (s.want & HWK_WANT_PRIVATE) != 0 &&
        (s.want & HWK_WANT_NAMES) == 0 && (n = settle(tokens, n, uri)) < 0)
        return 0;
    s.n_tokens = n;
    for (i = 0; i < n && r > 0; i++)
        r = find_on(tokens[i], &s, take, to);
    if (r >= 0)
        return 1;
    return to->any || atomic_load(&tokens[i - 1]->present) ? 0 : -1;
}

int p11_find(void *state, const struct hwk_uri *uri, unsigned want,
             const struct hwk_pin_ask *pin, hwk_found_fn *each, void *arg)
{
    struct taker to = {each, arg, false};
    int r;

    hwk_mark();
    r = find_now(state, uri, want, pin, &to);
    hwk_settle(r < 0);
    return (r < 0 ? find_now(state, uri, want, pin, &to) : r) > 0;
}

int p11_devices(void *state, const struct hwk_uri *uri, hwk_device_fn *each,
                void *arg)
{
    struct p11_token *t[TOKENS + 1];
    int i, r = 1, n = tokens_for(state, uri, t);
    char name[HWK_OBJECT_URI_MAX], about[128];

    for (i = 0; i < n && r > 0; i++) {
        p11_token_uri(t[i], name);
        snprintf(about, sizeof(about), "token, %s %s%s", t[i]->manufacturer,
                 t[i]->model, t[i]->login_required ? "" : ", no PIN");
        r = each(arg, name, about);
    }
    return n > 0 && r >= 0;
}
