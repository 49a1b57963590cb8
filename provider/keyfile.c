/* SPDX-License-Identifier: Apache-2.0 */
/* Files that stand for a key on a device: from PEM to DER to the key. */
#include <string.h>

#include <openssl/evp.h>

#include "provider/keyfile.h"

#define DER_MAX 65536
#define LINE 256
#define HEAD 64 /* bytes by which DER of ours is known */
#define BEGIN "-----BEGIN "
#define END "-----END "

static const char *const labels[] = {
    [HWK_FILE_URI] = "HWKEY URI",
    [HWK_FILE_URI_P11] = "PKCS#11 PROVIDER URI",
    [HWK_FILE_TSS2] = "TSS2 PRIVATE KEY",
};

const char *hwk_keyfile_label(enum hwk_keyfile_kind kind)
{
    return labels[kind];
}

/* --- reading --- */

/* without what ends it; -1 at the end of the file */
static int read_line(struct hwk_core *core, OSSL_CORE_BIO *in,
                     char line[static LINE])
{
    int n = core->bio_gets(in, line, LINE);

    if (n <= 0)
        return -1;
    while (n > 0 && strchr("\r\n \t", line[n - 1]) != NULL)
        line[--n] = 0;
    return n;
}

static bool is_line(const char *line, const char *what, const char *label)
{
    size_t n = strlen(label);

    return strncmp(line, what, strlen(what)) == 0 &&
           strncmp(line + strlen(what), label, n) == 0 &&
           strcmp(line + strlen(what) + n, "-----") == 0;
}

/* to the first BEGIN line; 0 when it is not one of ours */
static enum hwk_keyfile_kind our_label(struct hwk_core *core, OSSL_CORE_BIO *in)
{
    char line[LINE];
    int i;

    while (read_line(core, in, line) >= 0) {
        if (strncmp(line, BEGIN, strlen(BEGIN)) != 0)
            continue;
        for (i = HWK_FILE_URI; i <= HWK_FILE_TSS2; i++)
            if (is_line(line, BEGIN, labels[i]))
                return (enum hwk_keyfile_kind)i;
        return 0;
    }
    return 0;
}

static const char *add_line(EVP_ENCODE_CTX *b64, const char *line, int n,
                            uint8_t *der, int *at)
{
    int got = 0;

    if (memchr(line, ':', (size_t)n) != NULL)
        return "has headers, as an encrypted key would";
    if (memchr(line, '-', (size_t)n) != NULL)
        return "has no END line of its own";
    if (*at > DER_MAX - LINE)
        return "is too long";
    if (EVP_DecodeUpdate(b64, der + *at, &got, (const unsigned char *)line, n) <
        0)
        return "is not base64";
    *at += got;
    return NULL;
}

/* What is wrong with it; NULL: nothing. What is wrong is read to its end too:
 * libcrypto takes what is left for files of their own, and its errors over
 * those would push ours off the queue. */
static const char *read_body(struct hwk_core *core, OSSL_CORE_BIO *in,
                             const char *label, EVP_ENCODE_CTX *b64,
                             uint8_t *der, int *at)
{
    const char *wrong = NULL;
    char line[LINE];
    int n, got = 0;

    EVP_DecodeInit(b64);
    while ((n = read_line(core, in, line)) >= 0) {
        if (!is_line(line, END, label)) {
            if (wrong == NULL)
                wrong = add_line(b64, line, n, der, at);
            continue;
        }
        if (wrong != NULL)
            return wrong;
        if (EVP_DecodeFinal(b64, der + *at, &got) < 0)
            return "is not base64";
        *at += got;
        return *at > 0 ? NULL : "is empty";
    }
    return wrong != NULL ? wrong : "has no END line of its own";
}

int hwk_keyfile_read(struct hwk_core *core, OSSL_CORE_BIO *in,
                     struct hwk_keyfile *out)
{
    enum hwk_keyfile_kind kind = our_label(core, in);
    const char *wrong = "is too much for the memory";
    EVP_ENCODE_CTX *b64;
    int n = 0;

    if (kind == 0)
        return 0;
    b64 = EVP_ENCODE_CTX_new();
    out->kind = kind;
    out->der = OPENSSL_malloc(DER_MAX);
    if (b64 != NULL && out->der != NULL)
        wrong = read_body(core, in, labels[kind], b64, out->der, &n);
    EVP_ENCODE_CTX_free(b64);
    out->n = (size_t)n;
    if (wrong == NULL)
        return 1;
    OPENSSL_free(out->der);
    return hwk_raise(HWK_R_FORMAT, "PEM %s: %s", labels[kind], wrong) - 1;
}

/* SEQUENCE { type of 2.23.133.10.1, ...: a TPM's key */
static bool is_tss2(const uint8_t *der, size_t n)
{
    static const uint8_t type[] = {0x06, 0x06, 0x67, 0x81, 0x05, 0x0a, 0x01};
    size_t at = n > 1 && der[1] > 0x80 ? 2 + (size_t)(der[1] & 0x7f) : 2;

    return n > 0 && der[0] == 0x30 && at <= 6 && n > at + sizeof(type) &&
           memcmp(der + at, type, sizeof(type)) == 0;
}

enum hwk_keyfile_kind hwk_keyfile_known(const uint8_t *der, size_t n)
{
    if (is_tss2(der, n))
        return HWK_FILE_TSS2;
    return hwk_wrapper_is(der, n) ? HWK_FILE_URI : 0;
}

static bool read_all(struct hwk_core *core, OSSL_CORE_BIO *in,
                     struct hwk_keyfile *out)
{
    size_t got = 1;

    while (out->n < DER_MAX && got > 0) {
        got = 0;
        if (!core->bio_read_ex(in, out->der + out->n, DER_MAX - out->n, &got))
            break;
        out->n += got;
    }
    return out->n < DER_MAX;
}

int hwk_keyfile_read_der(struct hwk_core *core, OSSL_CORE_BIO *in,
                         struct hwk_keyfile *out)
{
    uint8_t head[HEAD];
    size_t n = 0;

    if (!core->bio_read_ex(in, head, sizeof(head), &n))
        return 0;
    out->kind = hwk_keyfile_known(head, n);
    if (out->kind == 0)
        return 0;
    out->der = OPENSSL_malloc(DER_MAX);
    if (out->der == NULL)
        return hwk_raise(HWK_R_MEMORY, "key file") - 1;
    memcpy(out->der, head, n);
    out->n = n;
    if (read_all(core, in, out))
        return 1;
    OPENSSL_free(out->der);
    return hwk_raise(HWK_R_FORMAT, "%s: is too long", labels[out->kind]) - 1;
}

/* --- the key --- */

struct catch
{
    struct hwk_core *core;
    struct hwk_device_slot *slot;
    struct hwk_key *key;
    bool several;
};

static int take(void *arg, struct hwk_found *found)
{
    struct catch *c = arg;

    if (c->key != NULL) {
        c->several = c->several || !hwk_pub_eq(&c->key->pub, &found->pub);
        return 1;
    }
    c->key =
        hwk_key_new(c->core, c->slot, found, found->type == HWK_OBJ_PRIVATE);
    return c->key != NULL ? 1 : -1;
}

static struct hwk_key *one_key(struct catch *c, const char *label)
{
    if (c->key == NULL)
        hwk_raise(HWK_R_NOT_FOUND, "%s: no such private key", label);
    if (!c->several)
        return c->key;
    hwk_key_free(c->key);
    hwk_raise(HWK_R_BAD_URI, "%s: it names several private keys", label);
    return NULL;
}

static struct hwk_key *find(struct hwk_core *core, const struct hwk_uri *uri,
                            const char *label,
                            const struct hwk_pin_source *prompt)
{
    struct hwk_pin_ask ask = {&core->cfg, uri, prompt};
    struct catch c = {.core = core};
    int ok;

    c.slot = hwk_registry_use(core->registry, uri->scheme);
    if (c.slot == NULL)
        return NULL;
    hwk_mark();
    ok = hwk_settle(hwk_slot_table(c.slot)->find(
        hwk_slot_state(c.slot), uri, HWK_WANT_PRIVATE, &ask, take, &c));
    hwk_slot_give(c.slot);
    if (ok)
        return one_key(&c, label);
    hwk_key_free(c.key);
    return NULL;
}

static bool of_private_key(const struct hwk_uri *uri, const char *label)
{
    if (uri->type == HWK_CLASS_ANY || uri->type == HWK_CLASS_PRIVATE)
        return true;
    hwk_raise(HWK_R_KEY, "%s: its URI says by type= that it is no private key",
              label);
    return false;
}

static struct hwk_key *from_uri(struct hwk_core *core,
                                const struct hwk_keyfile *file,
                                const struct hwk_pin_source *prompt)
{
    const char *label = labels[file->kind];
    char text[HWK_URI_MAX + 1];
    struct hwk_key *key = NULL;
    struct hwk_uri uri;

    if (!hwk_wrapper_parse(file->der, file->n, text))
        return NULL;
    if (!hwk_uri_ours(text)) {
        hwk_raise(HWK_R_BAD_URI, "%s: its URI is not of a device", label);
        return NULL;
    }
    if (hwk_uri_parse(text, &uri) && of_private_key(&uri, label))
        key = find(core, &uri, label, prompt);
    hwk_uri_clear(&uri);
    return key;
}

static struct hwk_key *from_tss2(struct hwk_core *core, const uint8_t *der,
                                 size_t n, const struct hwk_pin_source *prompt)
{
    struct hwk_pin_ask ask = {&core->cfg, NULL, prompt};
    struct catch c = {.core = core};
    const struct hwk_backend *t;

    c.slot = hwk_registry_use(core->registry, HWK_SCHEME_TPM2);
    if (c.slot == NULL)
        return NULL;
    t = hwk_slot_table(c.slot);
    hwk_mark();
    (void)hwk_settle(
        t->load_blob != NULL
            ? t->load_blob(hwk_slot_state(c.slot), der, n, &ask, take, &c)
            : hwk_raise(HWK_R_UNSUPPORTED, "%s", labels[HWK_FILE_TSS2]));
    hwk_slot_give(c.slot);
    return c.key;
}

struct hwk_key *hwk_keyfile_key(struct hwk_core *core,
                                const struct hwk_keyfile *file,
                                const struct hwk_pin_source *prompt)
{
    return file->kind == HWK_FILE_TSS2
               ? from_tss2(core, file->der, file->n, prompt)
               : from_uri(core, file, prompt);
}
