/* SPDX-License-Identifier: Apache-2.0 */
/* Files that stand for a key on a device: the wrapper of a URI and the TSS2
 * private key, in two steps: PEM -> DER of ours -> key. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "provider/op.h"

#define DER_MAX 65536
#define LINE 256

enum label { WRAPPER, TSS2 };
static const char *const begins[] = {"-----BEGIN HWKEY URI-----",
                                     "-----BEGIN TSS2 PRIVATE KEY-----"};

/*
 * The first step must know the type of the key, so it has found the key
 * already; the second one, which libcrypto calls from within the first, takes
 * it from here instead of going to the device again.
 */
struct handoff {
    const uint8_t *der;
    size_t n;
    struct hwk_key *key;
    struct handoff *outer;
};
static _Thread_local struct handoff *handoff;

/* --- from DER to a key --- */

struct catch
{
    struct hwk_core *core;
    struct hwk_device_slot *slot;
    struct hwk_key *key;
};

static int take(void *arg, struct hwk_found *found)
{
    struct catch *c = arg;

    c->key =
        hwk_key_new(c->core, c->slot, found, found->type == HWK_OBJ_PRIVATE);
    return c->key != NULL ? 0 : -1;
}

static struct hwk_key *find(struct hwk_core *core, const struct hwk_uri *uri,
                            const struct hwk_pin_source *prompt)
{
    struct hwk_pin_ask ask = {&core->cfg, uri, prompt};
    struct catch c = {core, NULL, NULL};

    c.slot = hwk_registry_use(core->registry, uri->scheme);
    hwk_mark();
    if (c.slot != NULL &&
        hwk_settle(hwk_slot_table(c.slot)->find(
            hwk_slot_state(c.slot), uri, HWK_WANT_PRIVATE, &ask, take, &c)) &&
        c.key == NULL)
        hwk_raise(HWK_R_NOT_FOUND, "HWKEY URI: no such private key");
    return c.key;
}

static struct hwk_key *from_wrapper(struct hwk_core *core, const uint8_t *der,
                                    size_t n,
                                    const struct hwk_pin_source *prompt)
{
    char text[HWK_URI_MAX + 1];
    struct hwk_key *key = NULL;
    struct hwk_uri uri;

    if (!hwk_wrapper_parse(der, n, text))
        return NULL;
    if (hwk_uri_parse(text, &uri))
        key = find(core, &uri, prompt);
    hwk_uri_clear(&uri);
    return key;
}

static struct hwk_key *from_tss2(struct hwk_core *core, const uint8_t *der,
                                 size_t n, const struct hwk_pin_source *prompt)
{
    struct hwk_pin_ask ask = {&core->cfg, NULL, prompt};
    struct catch c = {core, NULL, NULL};
    const struct hwk_backend *t;

    c.slot = hwk_registry_use(core->registry, HWK_SCHEME_TPM2);
    if (c.slot == NULL)
        return NULL;
    t = hwk_slot_table(c.slot);
    if (t->load_blob == NULL)
        hwk_raise(HWK_R_UNSUPPORTED, "TSS2 PRIVATE KEY");
    else
        (void)!t->load_blob(hwk_slot_state(c.slot), der, n, &ask, take, &c);
    return c.key;
}

/* --- step one: PEM of ours --- */

static int read_line(struct hwk_core *core, OSSL_CORE_BIO *in, char *line)
{
    int n = core->bio_gets(in, line, LINE);

    while (n > 0 && strchr("\r\n \t", line[n - 1]) != NULL)
        line[--n] = 0;
    return n;
}

/* to the first BEGIN line; -1 when it is not one of ours */
static int our_label(struct hwk_core *core, OSSL_CORE_BIO *in)
{
    char line[LINE];
    int i, n;

    while ((n = core->bio_gets(in, line, sizeof(line))) > 0) {
        if (strncmp(line, "-----BEGIN ", 11) != 0)
            continue;
        while (n > 0 && strchr("\r\n \t", line[n - 1]) != NULL)
            line[--n] = 0;
        for (i = WRAPPER; i <= TSS2; i++)
            if (strcmp(line, begins[i]) == 0)
                return i;
        return -1;
    }
    return -1;
}

static uint8_t *read_body(struct hwk_core *core, OSSL_CORE_BIO *in, size_t *n)
{
    EVP_ENCODE_CTX *b64 = EVP_ENCODE_CTX_new();
    uint8_t *der = OPENSSL_malloc(DER_MAX);
    char line[LINE];
    int len, got, at = 0, ok = 0;

    if (b64 != NULL)
        EVP_DecodeInit(b64);
    while (b64 != NULL && der != NULL &&
           (len = read_line(core, in, line)) > 0 && at < DER_MAX - LINE) {
        if (strncmp(line, "-----END ", 9) == 0) {
            ok = EVP_DecodeFinal(b64, der + at, &got) >= 0;
            at += ok ? got : 0;
            break;
        }
        line[len++] = '\n';
        if (EVP_DecodeUpdate(b64, der + at, &got, (unsigned char *)line, len) <
            0)
            break;
        at += got;
    }
    EVP_ENCODE_CTX_free(b64);
    *n = (size_t)at;
    if (ok && at > 0)
        return der;
    OPENSSL_free(der);
    hwk_raise(HWK_R_FORMAT, "PEM: does not decode");
    return NULL;
}

static char *lent(const char *s)
{
    union {
        const char *c;
        char *p;
    } u = {s};

    return u.p;
}

static int pass_on(struct hwk_key *key, uint8_t *der, size_t n,
                   OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_PKEY, ok;
    const char *name = hwk_pub_type_name(&key->pub);
    struct handoff h = {der, n, key, handoff};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                         lent(name), 0),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE,
                                         lent(HWK_STRUCTURE), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der, n),
        OSSL_PARAM_construct_end()};

    handoff = &h;
    ok = cb(params, arg);
    handoff = h.outer;
    hwk_key_free(h.key);
    return ok;
}

static int decode_pem(void *ctx, OSSL_CORE_BIO *in, int selection,
                      OSSL_CALLBACK *cb, void *arg,
                      OSSL_PASSPHRASE_CALLBACK *pw, void *pw_arg)
{
    struct hwk_core *core = ctx;
    struct hwk_passphrase passphrase = {pw, pw_arg};
    struct hwk_pin_source prompt = {hwk_passphrase_get, &passphrase};
    int label = our_label(core, in), ok = 0;
    struct hwk_key *key;
    uint8_t *der;
    size_t n;

    (void)selection;
    if (label < 0)
        return 1;
    der = read_body(core, in, &n);
    if (der == NULL)
        return 0;
    key = label == WRAPPER ? from_wrapper(core, der, n, &prompt)
                           : from_tss2(core, der, n, &prompt);
    if (key != NULL)
        ok = pass_on(key, der, n, cb, arg);
    OPENSSL_free(der);
    return ok;
}

/* --- step two: that DER --- */

static struct hwk_key *handed(const uint8_t *head, size_t n)
{
    struct hwk_key *key;

    if (handoff == NULL || handoff->key == NULL || n > handoff->n ||
        memcmp(handoff->der, head, n) != 0)
        return NULL;
    key = handoff->key;
    handoff->key = NULL;
    return key;
}

static int decode_der(struct hwk_core *core, enum hwk_key_type type,
                      OSSL_CORE_BIO *in, OSSL_CALLBACK *cb, void *arg)
{
    uint8_t head[64];
    size_t n = 0;
    struct hwk_key *key;
    const char *name;
    int object = OSSL_OBJECT_PKEY, ok;

    if (handoff == NULL || handoff->key == NULL ||
        handoff->key->pub.type != type ||
        !core->bio_read_ex(in, head, sizeof(head), &n) ||
        (key = handed(head, n)) == NULL)
        return 1;
    name = hwk_pub_type_name(&key->pub);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &object),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                         lent(name), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key,
                                          sizeof(key)),
        OSSL_PARAM_construct_end()};
    ok = cb(params, arg);
    hwk_key_free(key);
    return ok;
}

static int decode_ec(void *core, OSSL_CORE_BIO *in, int selection,
                     OSSL_CALLBACK *cb, void *arg, OSSL_PASSPHRASE_CALLBACK *pw,
                     void *pw_arg)
{
    (void)selection;
    (void)pw;
    (void)pw_arg;
    return decode_der(core, HWK_KEY_EC, in, cb, arg);
}

static int decode_rsa(void *core, OSSL_CORE_BIO *in, int selection,
                      OSSL_CALLBACK *cb, void *arg,
                      OSSL_PASSPHRASE_CALLBACK *pw, void *pw_arg)
{
    (void)selection;
    (void)pw;
    (void)pw_arg;
    return decode_der(core, HWK_KEY_RSA, in, cb, arg);
}

/* --- tables --- */

static void *decoder_new(void *core)
{
    return core;
}

static void decoder_free(void *core)
{
    (void)core;
}

static int does_selection(void *core, int selection)
{
    (void)core;
    return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

/* a key that came by reference, for another provider: the public half goes */
static int export_object(void *core, const void *reference, size_t size,
                         OSSL_CALLBACK *cb, void *arg)
{
    union {
        const void *c;
        struct hwk_key **p;
    } ref = {reference};

    (void)core;
    return size == sizeof(*ref.p) && *ref.p != NULL &&
           hwk_keymgmt_export(*ref.p,
                              OSSL_KEYMGMT_SELECT_PUBLIC_KEY |
                                  OSSL_KEYMGMT_SELECT_ALL_PARAMETERS,
                              cb, arg);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_DECODER_##name, (void (*)(void))(fn)                         \
    }
#define TABLE(name, fn)                                                        \
    const OSSL_DISPATCH name[] = {F(NEWCTX, decoder_new),                      \
                                  F(FREECTX, decoder_free),                    \
                                  F(DOES_SELECTION, does_selection),           \
                                  F(DECODE, fn),                               \
                                  F(EXPORT_OBJECT, export_object),             \
                                  {0, NULL}}

TABLE(hwk_decoder_pem, decode_pem);
TABLE(hwk_decoder_ec, decode_ec);
TABLE(hwk_decoder_rsa, decode_rsa);
