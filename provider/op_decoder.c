/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding files that stand for a key on a device. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>

#include "provider/keyfile.h"

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

struct handoff {
    const uint8_t *der;
    size_t n;
    struct hwk_key *key; /* NULL: taken */
    struct handoff *outer;
};
static _Thread_local struct handoff *handoff;

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

/* r: what reading file gave; which is somebody else's or a bad one of ours
 * unless that is 1 */
static int decode_file(struct hwk_core *core, int r, struct hwk_keyfile *file,
                       const struct hwk_pin_source *prompt, OSSL_CALLBACK *cb,
                       void *arg)
{
    struct hwk_key *key;
    int ok = 0;

    if (r <= 0)
        return r == 0;
    key = hwk_keyfile_key(core, file, prompt);
    if (key != NULL)
        ok = hand_over(key, file->der, file->n, cb, arg);
    OPENSSL_free(file->der);
    return ok;
}

static int decode_bare(void *core, OSSL_CORE_BIO *in, int selection,
                       OSSL_CALLBACK *cb, void *arg,
                       OSSL_PASSPHRASE_CALLBACK *pw, void *pw_arg)
{
    struct hwk_passphrase passphrase = {pw, pw_arg};
    struct hwk_pin_source prompt = {hwk_passphrase_get, &passphrase};
    struct hwk_keyfile file;

    (void)selection;
    if (handoff != NULL)
        return decode_bytes(core, in, cb, arg);
    return decode_file(core, hwk_keyfile_read_der(core, in, &file), &file,
                       &prompt, cb, arg);
}

static int decode(void *core, OSSL_CORE_BIO *in, int selection,
                  OSSL_CALLBACK *cb, void *arg, OSSL_PASSPHRASE_CALLBACK *pw,
                  void *pw_arg)
{
    struct hwk_passphrase passphrase = {pw, pw_arg};
    struct hwk_pin_source prompt = {hwk_passphrase_get, &passphrase};
    struct hwk_keyfile file;

    (void)selection;
    if (handoff != NULL)
        return decode_bytes(core, in, cb, arg);
    return decode_file(core, hwk_keyfile_read(core, in, &file), &file, &prompt,
                       cb, arg);
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

const OSSL_DISPATCH hwk_decoder_der[] = {
    F(NEWCTX, decoder_new),
    F(FREECTX, decoder_free),
    F(DOES_SELECTION, does_selection),
    F(DECODE, decode_bare),
    F(EXPORT_OBJECT, export_object),
    {0, NULL},
};
