/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials made without a TPM: opened by derivations that are libcrypto's
 * own, beside those of tpm2_makecredential, and by a TPM. */
#include "tests/unit/tpm_forms.h"

#include <openssl/err.h>
#include <openssl/kdf.h>

#include "tests/lib/swtpm.h"
#include "tpm/credential.h"
#include "tpm/wire.h"

static struct idv_env_system sys;
static struct swtpm tpm;
static char dir[64];

static int setup(void **state)
{
    (void)state;
    idv_env_system_init(&sys, NULL);
    test_dir(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (tpm.pid)
        swtpm_stop(&tpm);
    test_dir_drop(dir);
    return 0;
}

/* --- TPM2_ActivateCredential, with the EK's private key ------------------- */

struct opener {
    const struct form *ek;
    size_t n; /* of a digest */
    uint8_t seed[64];
};

static const char *md_name(const struct opener *o)
{
    return o->n == 32 ? "SHA256" : o->n == 48 ? "SHA384" : "SHA512";
}

static void derive(const char *kdf, const OSSL_PARAM *params, uint8_t *out,
                   size_t n)
{
    EVP_KDF *k = EVP_KDF_fetch(NULL, kdf, NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(k);
    assert_non_null(ctx);
    assert_int_equal(EVP_KDF_derive(ctx, out, n, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(k);
}

static OSSL_PARAM octets(const char *name, const void *p, size_t n)
{
    static uint8_t none;
    union {
        const void *from;
        void *to;
    } u = {.from = n ? p : &none};
    return OSSL_PARAM_construct_octet_string(name, u.to, n);
}

static OSSL_PARAM words(const char *name, const char *text)
{
    union {
        const char *from;
        char *to;
    } u = {.from = text};
    return OSSL_PARAM_construct_utf8_string(name, u.to, 0);
}

/* KDFa: SP 800-108 in counter mode */
static void kdfa(const struct opener *o, const char *label,
                 struct idv_bytes context, uint8_t *out, size_t n)
{
    const OSSL_PARAM params[] = {
        words(OSSL_KDF_PARAM_MAC, "HMAC"),
        words(OSSL_KDF_PARAM_DIGEST, md_name(o)),
        octets(OSSL_KDF_PARAM_KEY, o->seed, o->n),
        octets(OSSL_KDF_PARAM_SALT, label, strlen(label)),
        octets(OSSL_KDF_PARAM_INFO, context.p, context.n),
        OSSL_PARAM_END};
    derive("KBKDF", params, out, n);
}

static void open_rsa(struct opener *o, struct idv_bytes secret)
{
    uint8_t raw[512];
    size_t n = sizeof(raw);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(o->ek->key, NULL);
    const EVP_MD *md = idvi_tpm_md(o->ek->p.name_alg);
    assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING),
                     1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md), 1);
    assert_int_equal(
        EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_memdup("IDENTITY", 9), 9),
        1);
    assert_int_equal(EVP_PKEY_decrypt(ctx, raw, &n, secret.p, secret.n), 1);
    assert_int_equal(n, o->n);
    memcpy(o->seed, raw, n);
    EVP_PKEY_CTX_free(ctx);
}

static void agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *z, size_t *n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
    assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
    assert_int_equal(EVP_PKEY_derive(ctx, z, n), 1);
    EVP_PKEY_CTX_free(ctx);
}

/* KDFe: SP 800-56A, one step */
static void open_ecc(struct opener *o, struct idv_bytes secret)
{
    struct idvi_wire r = {.left = secret};
    struct idvi_tpm_public q = o->ek->p;
    EVP_PKEY *peer = NULL;
    uint8_t z[66];
    size_t n = sizeof(z);
    IDV_AUTO(buf) info = {0};
    q.x = idvi_wire_sized(&r);
    q.y = idvi_wire_sized(&r);
    OK(idvi_wire_end(&r, "point"));
    OK(idvi_tpm_public_to_key(&q, &peer));
    agree(o->ek->key, peer, z, &n);
    OK(idv_buf_put(&info, idv_bytes("IDENTITY", 9)));
    OK(idv_buf_put(&info, q.x));
    OK(idv_buf_put(&info, o->ek->p.x));
    const OSSL_PARAM params[] = {words(OSSL_KDF_PARAM_DIGEST, md_name(o)),
                                 octets(OSSL_KDF_PARAM_KEY, z, n),
                                 octets(OSSL_KDF_PARAM_INFO, info.p, info.n),
                                 OSSL_PARAM_END};
    derive("SSKDF", params, o->seed, o->n);
    EVP_PKEY_free(peer);
}

static bool intact(const struct opener *o, struct idv_bytes mac,
                   struct idv_bytes text, struct idv_bytes name)
{
    uint8_t key[64], got[64];
    size_t n = 0;
    IDV_AUTO(buf) all = {0};
    kdfa(o, "INTEGRITY", (struct idv_bytes){0}, key, o->n);
    OK(idv_buf_put(&all, text));
    OK(idv_buf_put(&all, name));
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, md_name(o), NULL, key, o->n,
                              all.p, all.n, got, sizeof(got), &n));
    return idv_bytes_eq(mac, idv_bytes(got, n));
}

static void decrypt(const struct opener *o, struct idv_bytes name,
                    struct idv_bytes text, struct idv_buf *out)
{
    uint8_t key[32], plain[80];
    const uint8_t iv[16] = {0};
    unsigned bits = o->ek->p.sym_bits;
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    kdfa(o, "STORAGE", name, key, bits / 8);
    assert_true(text.n <= sizeof(plain));
    assert_int_equal(
        EVP_DecryptInit(
            ctx, bits == 128 ? EVP_aes_128_cfb() : EVP_aes_256_cfb(), key, iv),
        1);
    assert_int_equal(EVP_DecryptUpdate(ctx, plain, &n, text.p, (int)text.n), 1);
    EVP_CIPHER_CTX_free(ctx);
    struct idvi_wire r = {.left = idv_bytes(plain, (size_t)n)};
    OK(idv_buf_put(out, idvi_wire_sized(&r)));
    OK(idvi_wire_end(&r, "secret"));
}

/* false: for another Name, or altered */
static bool activate(const struct form *ek, struct idv_bytes name,
                     struct idv_bytes credential, struct idv_bytes encrypted,
                     struct idv_buf *out)
{
    struct opener o = {.ek = ek, .n = idvi_tpm_hash_size(ek->p.name_alg)};
    struct idvi_wire c = {.left = credential}, e = {.left = encrypted};
    struct idv_bytes object = idvi_wire_sized(&c), seed = idvi_wire_sized(&e);
    struct idvi_wire in = {.left = object};
    struct idv_bytes mac = idvi_wire_sized(&in);
    OK(idvi_wire_end(&c, "credential"));
    OK(idvi_wire_end(&e, "seed"));
    assert_false(in.bad);
    ek->p.type == IDVI_TPM_RSA ? open_rsa(&o, seed) : open_ecc(&o, seed);
    if (!intact(&o, mac, in.left, name))
        return false;
    decrypt(&o, name, in.left, out);
    return true;
}

/* --- without a TPM -------------------------------------------------------- */

static const struct {
    const char *type;
    bool low;
} eks[] = {
    {"RSA-2048", true}, {"P-256", true},  {"RSA-2048", false},
    {"P-384", false},   {"P-521", false}, {"RSA-3072", false},
};
#define EKS (sizeof(eks) / sizeof(*eks))

static const uint16_t hashes[] = {IDVI_TPM_SHA256, IDVI_TPM_SHA384,
                                  IDVI_TPM_SHA512};

static void make_name(size_t i, struct idv_buf *out)
{
    struct idv_bytes part = idv_bytes(&i, sizeof(i));
    OK(idvi_tpm_name(hashes[i % 3], &part, 1, out));
}

static void opened(const struct form *ek, size_t i, size_t secret_n)
{
    uint8_t secret[64];
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) other = {0};
    IDV_AUTO(buf) credential = {0};
    IDV_AUTO(buf) encrypted = {0};
    IDV_AUTO(buf) got = {0};
    make_name(i, &name);
    make_name(i + 3, &other);
    for (size_t k = 0; k < secret_n; k++)
        secret[k] = (uint8_t)(i + k);
    OK(idvi_credential_make(&ek->p, idv_view(&name),
                            idv_bytes(secret, secret_n), &sys.env, &credential,
                            &encrypted));
    assert_true(activate(ek, idv_view(&name), idv_view(&credential),
                         idv_view(&encrypted), &got));
    assert_true(idv_bytes_eq(idv_view(&got), idv_bytes(secret, secret_n)));
    assert_false(activate(ek, idv_view(&other), idv_view(&credential),
                          idv_view(&encrypted), &got));
}

static void every_ek_every_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < EKS; i++) {
        struct form ek;
        form_make(&ek, IDVI_DEVID_EK, eks[i].type, eks[i].low);
        size_t most = idvi_tpm_hash_size(ek.p.name_alg);
        for (size_t n = 1; n <= most; n += i ? 5 : 1)
            opened(&ek, n, n);
        opened(&ek, 7, most);
        form_free(&ek);
    }
}

static void fresh_each_time(void **state)
{
    IDV_AUTO(buf) name = {0};
    (void)state;
    make_name(0, &name);
    for (size_t i = 0; i < 2; i++) {
        struct form ek;
        struct idv_buf a[2] = {{0}}, b[2] = {{0}};
        form_make(&ek, IDVI_DEVID_EK, eks[i].type, eks[i].low);
        for (size_t k = 0; k < 2; k++)
            OK(idvi_credential_make(&ek.p, idv_view(&name), idv_str("secret"),
                                    &sys.env, &a[k], &b[k]));
        assert_false(idv_bytes_eq(idv_view(&a[0]), idv_view(&a[1])));
        assert_false(idv_bytes_eq(idv_view(&b[0]), idv_view(&b[1])));
        for (size_t k = 0; k < 2; k++) {
            idv_buf_free(&a[k]);
            idv_buf_free(&b[k]);
        }
        form_free(&ek);
    }
}

static void to_nobody(void **state)
{
    static const uint8_t much[64];
    struct form ek;
    struct idvi_tpm_public was;
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) a = {0};
    IDV_AUTO(buf) b = {0};
    (void)state;
    make_name(0, &name);
    form_make(&ek, IDVI_DEVID_EK, "P-256", true);
    was = ek.p;
#define NOT(rc, change, n, s, says)                                            \
    do {                                                                       \
        change;                                                                \
        FAILS(rc, says, idvi_credential_make(&ek.p, n, s, &sys.env, &a, &b));  \
        ek.p = was;                                                            \
    } while (0)
    struct idv_bytes nm = idv_view(&name), se = idv_str("secret");
    NOT(IDV_E_ARG, (void)0, idv_str("name"), se, "Name that is none");
    NOT(IDV_E_ARG, (void)0, nm, idv_str(""), "a secret of 0 bytes");
    NOT(IDV_E_ARG, (void)0, nm, idv_bytes(much, 33), "a secret of 33 bytes");
    NOT(IDV_E_REJECT, ek.p.attributes ^= IDVI_TPM_DECRYPT, nm, se,
        "no endorsement key");
    NOT(IDV_E_REJECT, ek.p.attributes ^= IDVI_TPM_RESTRICTED, nm, se,
        "no endorsement key");
    NOT(IDV_E_REJECT, ek.p.attributes |= IDVI_TPM_SIGN, nm, se,
        "no endorsement key");
    NOT(IDV_E_REJECT, ek.p.symmetric = IDVI_TPM_NULL, nm, se,
        "symmetric algorithm 0x0010");
    NOT(IDV_E_REJECT, ek.p.sym_bits = 64, nm, se, "of 64 bits");
    NOT(IDV_E_REJECT, ek.p.sym_mode = 0x42, nm, se, "mode 0x0042");
    NOT(IDV_E_REJECT, ek.p.x = idv_bytes(much, 32), nm, se, "");
    NOT(IDV_E_REJECT, ek.p.curve = 0x20, nm, se, "");
#undef NOT
    assert_int_equal(a.n + b.n, 0);
    form_free(&ek);
}

/* --- beside tpm2_makecredential ------------------------------------------- */

#define PATH(file) in_dir((char[96]){0}, file)

static char *in_dir(char out[static 96], const char *file)
{
    snprintf(out, 96, "%s/%s", dir, file);
    return out;
}

static void keep(const char *file, struct idv_bytes b)
{
    OK(idv_fs_write(PATH(file), b, 0600));
}

/* runs a line of tools in dir, with the TPM; true when it succeeds */
static bool tools(const char *line)
{
    char command[1024];
    snprintf(command, sizeof(command),
             "cd '%s' && export TPM2TOOLS_TCTI='%s' && { %s; } >log 2>&1", dir,
             tpm.pid ? tpm.tcti : "none", line);
    bool ok = system(command) == 0;
    return ok;
}

#define need_tools()                                                           \
    do {                                                                       \
        if (!program_here("tpm2_makecredential"))                              \
            skip();                                                            \
    } while (0)

/* their file: magic, version, credential, secret */
#define MAGIC "\xba\xdc\xc0\xde\0\0\0\1"

static void from_file(const char *file, struct idv_buf *all,
                      struct idv_bytes *credential, struct idv_bytes *encrypted)
{
    OK(idv_fs_read(PATH(file), 0, all));
    assert_true(all->n > 8 && memcmp(all->p, MAGIC, 8) == 0);
    struct idv_bytes body = idv_bytes(all->p + 8, all->n - 8);
    struct idvi_wire r = {.left = body};
    size_t n = 2 + idvi_wire_sized(&r).n;
    *credential = idv_bytes(body.p, n);
    *encrypted = idv_bytes(body.p + n, body.n - n);
    idvi_wire_sized(&r);
    OK(idvi_wire_end(&r, "file"));
}

static void to_file(const char *file, const struct idv_buf *credential,
                    const struct idv_buf *encrypted)
{
    IDV_AUTO(buf) all = {0};
    OK(idv_buf_put(&all, idv_bytes(MAGIC, 8)));
    OK(idv_buf_put(&all, idv_view(credential)));
    OK(idv_buf_put(&all, idv_view(encrypted)));
    keep(file, idv_view(&all));
}

/* what the tool makes for ek and name is opened as ours is, and as long */
static void theirs(const struct form *ek, const struct idv_buf *name)
{
    char line[512];
    struct idv_bytes credential, encrypted;
    IDV_AUTO(buf) pub = {0};
    IDV_AUTO(buf) hex = {0};
    IDV_AUTO(buf) all = {0};
    IDV_AUTO(buf) got = {0};
    IDV_AUTO(buf) a = {0};
    IDV_AUTO(buf) b = {0};
    OK(idvi_wire_put_sized(&pub, idv_view(&ek->raw)));
    keep("ek.pub", idv_view(&pub));
    keep("secret", idv_str("a secret of theirs"));
    OK(idv_hex_from_bytes(idv_view(name), &hex));
    snprintf(line, sizeof(line),
             "tpm2_makecredential -Q -T none -u ek.pub -s secret -n %s -o out",
             (const char *)hex.p);
    assert_true(tools(line));
    from_file("out", &all, &credential, &encrypted);
    assert_true(activate(ek, idv_view(name), credential, encrypted, &got));
    assert_true(idv_bytes_eq(idv_view(&got), idv_str("a secret of theirs")));
    OK(idvi_credential_make(&ek->p, idv_view(name),
                            idv_str("a secret of theirs"), &sys.env, &a, &b));
    assert_int_equal(a.n, credential.n);
    assert_true(b.n >= encrypted.n); /* they leave leading zeros out */
}

static void beside_the_tool(void **state)
{
    (void)state;
    need_tools();
    for (size_t i = 0; i < EKS; i++) {
        struct form ek;
        IDV_AUTO(buf) name = {0};
        form_make(&ek, IDVI_DEVID_EK, eks[i].type, eks[i].low);
        make_name(i, &name);
        theirs(&ek, &name);
        form_free(&ek);
    }
}

/* --- by a TPM ------------------------------------------------------------- */

static void read_public(const char *file, struct idv_buf *raw,
                        struct idvi_tpm_public *out)
{
    bool sized = false;
    OK(idv_fs_read(PATH(file), 0, raw));
    struct idv_bytes b = idvi_tpm_public_unsized(idv_view(raw), &sized);
    assert_true(sized);
    OK(idvi_tpm_public_from_bytes(b, out));
}

/* an EK of the TPM, a key, a credential of ours for both; the EK of the low
 * range is used by its policy, of the high one by its empty value */
static void activated(const char *type, const char *kind)
{
    char line[512];
    bool low = kind[0] == 'L';
    struct idvi_tpm_public ek;
    struct idvi_devid_found found;
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) a = {0};
    IDV_AUTO(buf) b = {0};
    IDV_AUTO(buf) got = {0};
    snprintf(line, sizeof(line),
             "tpm2_createek -Q -G %s -c ek.ctx -u ek.pub && tpm2_flushcontext "
             "-t",
             type);
    assert_true(tools(line));
    read_public("ek.pub", &raw, &ek);
    OK(idvi_devid_check(IDVI_DEVID_EK, &ek, &found));
    assert_string_equal(found.kind, kind);
    OK(idv_fs_read(PATH("key.name"), 0, &name));
    OK(idvi_credential_make(&ek, idv_view(&name), idv_str("for this TPM only"),
                            &sys.env, &a, &b));
    to_file("in", &a, &b);
    snprintf(line, sizeof(line),
             "%s tpm2_activatecredential -Q -c key.ctx -C ek.ctx -i in -o out "
             "%s && tpm2_flushcontext -t %s",
             low ? "tpm2_startauthsession --policy-session -S s && "
                   "tpm2_policysecret -Q -S s -c e &&"
                 : "",
             low ? "-P session:s" : "", low ? "&& tpm2_flushcontext s" : "");
    assert_true(tools(line));
    OK(idv_fs_read(PATH("out"), 0, &got));
    assert_true(idv_bytes_eq(idv_view(&got), idv_str("for this TPM only")));
}

/* the TPM has the Name that is computed of what it says */
static void named(void)
{
    struct idvi_tpm_public key;
    IDV_AUTO(buf) raw = {0};
    IDV_AUTO(buf) name = {0};
    IDV_AUTO(buf) want = {0};
    read_public("key.pub", &raw, &key);
    OK(idvi_tpm_public_name(&key, &name));
    OK(idv_fs_read(PATH("key.name"), 0, &want));
    assert_true(idv_bytes_eq(idv_view(&name), idv_view(&want)));
}

static void by_a_tpm(void **state)
{
    (void)state;
    need_tools();
    if (!swtpm_here())
        skip();
    assert_int_equal(swtpm_start(&tpm), 0);
    assert_true(tools("tpm2_createprimary -Q -C e -G ecc -c key.ctx && "
                      "tpm2_readpublic -Q -c key.ctx -n key.name -o key.pub && "
                      "tpm2_flushcontext -t"));
    named();
    activated("rsa", "L-1");
    activated("ecc", "L-2");
    activated("ecc384", "H-3");
    activated("ecc521", "H-4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ek_every_size),
        cmocka_unit_test(fresh_each_time),
        cmocka_unit_test(to_nobody),
        cmocka_unit_test(beside_the_tool),
        cmocka_unit_test(by_a_tpm),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
