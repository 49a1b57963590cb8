/* SPDX-License-Identifier: Apache-2.0 */
/* Files that stand for a key on a device: the wrapper of a URI and the TSS2
 * private key. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "provider/op.h"

/*
 * One decoder does it all, whatever the type of the key: libcrypto 3.0 looks
 * at every decoder there is whenever it parses a certificate, and so each one
 * more costs the whole process.
 *
 * It says that what it makes of PEM is PVK, a format of private keys. Thus it
 * is asked where private keys are read, also by the loader of files, which
 * looks for what becomes DER, MSBLOB or PVK; a decoder to DER would be one
 * more that every certificate goes through.
 *
 * Who reads a key takes a reference to it. The loader of files, which is
 * another provider's, can take bytes only, and has them decoded: as a private
 * RSA key, for that brings PVK into play, and the decoder is called a second
 * time from within its call. That time it finds the key here.
 */
#define BYTES_TYPE "RSA"
#define BYTES_STRUCTURE "hwkey" /* so that no decoder of PVK tries them */

#define DER_MAX 65536
#define LINE 256

enum label { WRAPPER, TSS2 };
static const char *const begins[] = {"-----BEGIN HWKEY URI-----",
                                     "-----BEGIN TSS2 PRIVATE KEY-----"};

struct handoff {
    const uint8_t *der;
    size_t n;
    struct hwk_key *key; /* NULL: taken */
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

/* --- reading --- */

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

/* --- handing over --- */

static char *lent(const char *s)
{
    union {
        const char *c;
        char *p;
    } u = {s};

    return u.p;
}

static int give_reference(struct hwk_key *key, OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_PKEY, ok;
    struct hwk_handover ref = hwk_handover(key);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                         lent(hwk_pub_type_name(&key->pub)), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &ref,
                                          sizeof(ref)),
        OSSL_PARAM_construct_end()};

    ok = cb(params, arg);
    hwk_key_free(ref.key);
    return ok;
}

static int give_bytes(uint8_t *der, size_t n, OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_PKEY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
                                         lent(BYTES_TYPE), 0),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_STRUCTURE,
                                         lent(BYTES_STRUCTURE), 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der, n),
        OSSL_PARAM_construct_end()};

    return cb(params, arg);
}

/* Bytes first: who takes references ignores them at no cost, whereas the
 * loader of files fails for good on a reference. Takes key. */
static int hand_over(struct hwk_key *key, uint8_t *der, size_t n,
                     OSSL_CALLBACK *cb, void *arg)
{
    struct handoff h = {der, n, key, handoff};
    int ok;

    hwk_mark();
    handoff = &h;
    ok = give_bytes(der, n, cb, arg);
    handoff = h.outer;
    if (!ok && h.key != NULL)
        return hwk_settle(give_reference(h.key, cb, arg));
    hwk_key_free(h.key);
    return hwk_settle(ok);
}

/* called from within give_bytes: 1, whether these are the bytes or not */
static int decode_bytes(struct hwk_core *core, OSSL_CORE_BIO *in,
                        OSSL_CALLBACK *cb, void *arg)
{
    struct hwk_key *key = handoff->key;
    uint8_t head[64];
    size_t n = 0;

    if (key == NULL || !core->bio_read_ex(in, head, sizeof(head), &n) ||
        n > handoff->n || memcmp(handoff->der, head, n) != 0)
        return 1;
    handoff->key = NULL;
    return give_reference(key, cb, arg);
}

static int decode_pem(struct hwk_core *core, OSSL_CORE_BIO *in,
                      const struct hwk_pin_source *prompt, OSSL_CALLBACK *cb,
                      void *arg)
{
    int label = our_label(core, in), ok = 0;
    struct hwk_key *key;
    uint8_t *der;
    size_t n;

    if (label < 0)
        return 1;
    der = read_body(core, in, &n);
    if (der == NULL)
        return 0;
    key = label == WRAPPER ? from_wrapper(core, der, n, prompt)
                           : from_tss2(core, der, n, prompt);
    if (key != NULL)
        ok = hand_over(key, der, n, cb, arg);
    OPENSSL_free(der);
    return ok;
}

static int decode(void *core, OSSL_CORE_BIO *in, int selection,
                  OSSL_CALLBACK *cb, void *arg, OSSL_PASSPHRASE_CALLBACK *pw,
                  void *pw_arg)
{
    struct hwk_passphrase passphrase = {pw, pw_arg};
    struct hwk_pin_source prompt = {hwk_passphrase_get, &passphrase};

    (void)selection;
    if (handoff != NULL)
        return decode_bytes(core, in, cb, arg);
    return decode_pem(core, in, &prompt, cb, arg);
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
    struct hwk_key *key = hwk_handover_key(reference, size);

    (void)core;
    return key != NULL &&
           hwk_keymgmt_export(key,
                              OSSL_KEYMGMT_SELECT_PUBLIC_KEY |
                                  OSSL_KEYMGMT_SELECT_ALL_PARAMETERS,
                              cb, arg);
}

#define F(name, fn)                                                            \
    {                                                                          \
        OSSL_FUNC_DECODER_##name, (void (*)(void))(fn)                         \
    }
const OSSL_DISPATCH hwk_decoder[] = {
    F(NEWCTX, decoder_new),
    F(FREECTX, decoder_free),
    F(DOES_SELECTION, does_selection),
    F(DECODE, decode),
    F(EXPORT_OBJECT, export_object),
    {0, NULL},
};
