/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a software TPM: made, found, used, counted, shared. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_lock.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_template.h"
#include "tpm.h"

#define EC_KEY_AT 0x81020010
#define RSA_KEY_AT 0x81020011
#define EC_URI "tpm2:handle=0x81020010"
#define RSA_URI "handle:0x81020011"

/* makes what several tests use; the first to come pays */
static struct hwk_tpm_key *ec_key(void)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_found f;
    assert_true(tpm_find_in(tpm, EC_URI, HWK_WANT_PRIVATE, &f));
    return f.ref ? f.ref : tpm_make(EC_KEY_AT, &spec, NULL);
}

static struct hwk_pub public_of(const struct hwk_tpm_key *key)
{
    struct hwk_pub pub;
    assert_true(hwk_tpm_public(&key->object->pub, &pub));
    return pub;
}

static void sign_and_verify(struct hwk_tpm_key *key, struct hwk_mech mech)
{
    uint8_t digest[64], sig[HWK_SIG_MAX];
    size_t n = hwk_md_size(mech.md), sig_n = sizeof(sig);
    struct hwk_pub pub = public_of(key);
    assert_true(RAND_bytes(digest, sizeof(digest)) > 0);
    mech.type = pub.type;
    mech.mgf1 = mech.md;
    if (mech.pad == HWK_PAD_PSS)
        mech.salt = n;
    /* a TPM tests an algorithm before its first use: asked twice then */
    assert_true(hwk_tpm_sign(tpm, key, &mech, digest, n, sig, &sig_n));
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_sign(tpm, key, &mech, digest, n, sig, &sig_n));
    /* with a PIN: a primary key to salt with, StartAuthSession, its flush */
    assert_int_equal(tpm_commands() - before, key->auth ? 4 : 1);
    assert_true(tpm_verify(&pub, &mech, digest, n, sig, sig_n));
    digest[0] ^= 1;
    assert_false(tpm_verify(&pub, &mech, digest, n, sig, sig_n));
    ERR_clear_error();
}

static const enum hwk_md sha2[] = {HWK_MD_SHA256, HWK_MD_SHA384, HWK_MD_SHA512};

static void nothing_before_need(void **arg)
{
    (void)arg;
    need_tpm();
    assert_int_equal(tpm_commands(), 0);
    assert_null(tpm->esys);
}

static void ecdsa(void **arg)
{
    (void)arg;
    need_tpm();
    for (unsigned i = 0; i < 3; i++) {
        static const unsigned bits[] = {256, 384, 521};
        const struct hwk_spec spec = tpm_ec(bits[i], HWK_USAGE_SIGN);
        struct hwk_tpm_key *key = tpm_make(0x81020100 + i, &spec, NULL);
        if (!key && bits[i] == 521) { /* not every TPM has it */
            ERR_clear_error();
            continue;
        }
        assert_non_null(key);
        assert_int_equal(tpm_left_behind(), 0);
        assert_int_equal(key->object->pub.publicArea.objectAttributes,
                         0x00040472);
        for (size_t m = 0; m < 3; m++)
            sign_and_verify(key, (struct hwk_mech){.md = sha2[m]});
        sign_and_verify(key, (struct hwk_mech){.md = HWK_MD_SHA1});
        hwk_tpm_key_free(tpm, key);
        assert_true(hwk_tpm_erase(tpm, 0x81020100 + i));
    }
    assert_int_equal(tpm_left_behind(), 0);
}

/* a digest whose first byte is zero, and numbers with leading zeros: fixed
 * width always */
static void ecdsa_width(void **arg)
{
    struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    uint8_t digest[32] = {0}, sig[64];
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = ec_key();
    struct hwk_pub pub = public_of(key);
    for (int i = 0; i < 300; i++) {
        size_t n = sizeof(sig);
        digest[31] = (uint8_t)i;
        assert_true(hwk_tpm_sign(tpm, key, &mech, digest, 32, sig, &n));
        assert_true(tpm_verify(&pub, &mech, digest, 32, sig, n));
    }
    size_t small = 63;
    assert_false(hwk_tpm_sign(tpm, key, &mech, digest, 32, sig, &small));
    assert_int_equal(tpm_reason(), HWK_R_ARGUMENT);
    hwk_tpm_key_free(tpm, key);
}

static void rsa(void **arg)
{
    const struct hwk_spec spec = tpm_rsa(2048, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_make(RSA_KEY_AT, &spec, NULL);
    assert_non_null(key);
    for (size_t m = 0; m < 3; m++) {
        sign_and_verify(key,
                        (struct hwk_mech){.pad = HWK_PAD_PKCS1, .md = sha2[m]});
        sign_and_verify(key,
                        (struct hwk_mech){.pad = HWK_PAD_PSS, .md = sha2[m]});
    }
    uint8_t digest[36] = {1}, sig[HWK_SIG_MAX];
    size_t n = sizeof(sig);
    struct hwk_mech odd = {.type = HWK_KEY_RSA,
                           .pad = HWK_PAD_PSS,
                           .md = HWK_MD_SHA256,
                           .salt = 7};
    assert_false(hwk_tpm_sign(tpm, key, &odd, digest, 32, sig, &n));
    assert_int_equal(tpm_reason(), HWK_R_UNSUPPORTED);
    odd.pad = HWK_PAD_PKCS1;
    odd.md = HWK_MD_MD5_SHA1;
    assert_false(hwk_tpm_sign(tpm, key, &odd, digest, 36, sig, &n));
    assert_int_equal(tpm_reason(), HWK_R_UNSUPPORTED);
    hwk_tpm_key_free(tpm, key);
}

/* one command to open, the same object when opened twice; the first one's
 * end does not hurt the second */
static void open_twice(void **arg)
{
    struct hwk_found a, b, p;
    (void)arg;
    need_tpm();
    hwk_tpm_key_free(tpm, ec_key());
    unsigned long long before = tpm_commands();
    assert_true(tpm_find_in(tpm, EC_URI, HWK_WANT_PRIVATE, &a));
    assert_int_equal(tpm_commands() - before, 1);
    assert_true(tpm_find_in(tpm, EC_URI, HWK_WANT_PRIVATE, &b));
    assert_int_equal(tpm_commands() - before, 2);
    assert_int_equal(a.type, HWK_OBJ_PRIVATE);
    assert_string_equal(a.uri, EC_URI);
    assert_int_equal(a.flags, 0);
    hwk_tpm_key_free(tpm, a.ref);
    sign_and_verify(b.ref, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, b.ref);
    assert_true(tpm_find_in(tpm, EC_URI, HWK_WANT_PUBLIC, &p));
    assert_int_equal(p.type, HWK_OBJ_PUBLIC);
    assert_null(p.ref);
    assert_true(hwk_pub_eq(&p.pub, &b.pub));
    assert_true(tpm_find_in(tpm, "tpm2:handle=0x81020fff", HWK_WANT_ANY, &p));
    assert_int_equal(p.type, 0);
    assert_int_equal(ERR_peek_error(), 0);
}

static void occupied(void **arg)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    hwk_tpm_key_free(tpm, ec_key());
    assert_null(tpm_make(EC_KEY_AT, &spec, NULL));
    assert_int_equal(tpm_reason(), HWK_R_EXISTS);
    assert_int_equal(tpm_left_behind(), 0);
    assert_null(tpm_make(0x01800001, &spec, NULL));
    assert_int_equal(tpm_reason(), HWK_R_BAD_URI);
}

/* another key at the handle is not taken for the one that was opened */
static void replaced(void **arg)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    uint8_t digest[32] = {1}, sig[64];
    size_t n = sizeof(sig);
    struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *old = tpm_make(0x81020020, &spec, NULL);
    assert_true(hwk_tpm_erase(tpm, 0x81020020));
    struct hwk_tpm_key *new = tpm_make(0x81020020, &spec, NULL);
    assert_non_null(new);
    assert_false(hwk_tpm_sign(tpm, old, &mech, digest, 32, sig, &n));
    assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
    sign_and_verify(new, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, old);
    hwk_tpm_key_free(tpm, new);
    assert_true(hwk_tpm_erase(tpm, 0x81020020));
}

/* the same, done by another process: seen when the URI is opened again */
static void replaced_by_another(void **arg)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    const struct hwk_uri uri = {.tpm = HWK_TPM_HANDLE, .handle = 0x81020021};
    struct hwk_found a, b;
    (void)arg;
    need_tpm();
    struct hwk_tpm *other = hwk_tpm_new(&tpm_cfg);
    hwk_tpm_key_free(tpm, tpm_make(0x81020021, &spec, NULL));
    assert_true(tpm_find_in(tpm, "handle:0x81020021", HWK_WANT_PRIVATE, &a));
    assert_true(hwk_tpm_erase(other, 0x81020021));
    hwk_tpm_key_free(other, hwk_tpm_make(other, &uri, &spec, NULL));
    assert_true(tpm_find_in(tpm, "handle:0x81020021", HWK_WANT_PRIVATE, &b));
    assert_false(hwk_pub_eq(&a.pub, &b.pub));
    sign_and_verify(b.ref, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, a.ref);
    sign_and_verify(b.ref, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, b.ref);
    assert_true(hwk_tpm_erase(tpm, 0x81020021));
    hwk_tpm_free(other);
}

/* the same IDevID each time, and it signs any digest */
static void idevid_kind(const struct hwk_spec *spec, enum hwk_pad pad)
{
    const struct hwk_uri uri = {.tpm = HWK_TPM_IDEVID};
    struct hwk_found f;
    struct hwk_tpm_key *a = hwk_tpm_make(tpm, &uri, spec, NULL);
    assert_non_null(a);
    assert_int_equal(a->object->handle, 0x81020000);
    assert_int_equal(a->object->pub.publicArea.objectAttributes, 0x000400F2);
    assert_int_equal(tpm_left_behind(), 0);
    assert_true(hwk_tpm_erase(tpm, 0x81020000));
    struct hwk_tpm_key *b = hwk_tpm_make(tpm, &uri, spec, NULL);
    struct hwk_pub pa = public_of(a), pb = public_of(b);
    assert_true(hwk_pub_eq(&pa, &pb));
    for (size_t m = 0; m < 3; m++)
        sign_and_verify(b, (struct hwk_mech){.pad = pad, .md = sha2[m]});
    hwk_tpm_key_free(tpm, b);
    assert_true(tpm_find_in(tpm, "tpm2:idevid", HWK_WANT_PRIVATE, &f));
    assert_true(hwk_pub_eq(&f.pub, &pa));
    assert_int_equal(f.md, HWK_MD_NONE);
    /* gone and come again: whoever had it open goes on */
    sign_and_verify(a, (struct hwk_mech){.pad = pad, .md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, f.ref);
    sign_and_verify(a, (struct hwk_mech){.pad = pad, .md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, a);
    assert_true(hwk_tpm_erase(tpm, 0x81020000));
}

static void idevid(void **arg)
{
    const struct hwk_spec h1 = tpm_rsa(2048, HWK_USAGE_IDEVID);
    const struct hwk_spec h2 = tpm_ec(256, HWK_USAGE_IDEVID);
    const struct hwk_spec h3 = tpm_ec(384, HWK_USAGE_IDEVID);
    (void)arg;
    need_tpm();
    idevid_kind(&h1, HWK_PAD_PKCS1);
    idevid_kind(&h1, HWK_PAD_PSS);
    idevid_kind(&h2, HWK_PAD_NONE);
    idevid_kind(&h3, HWK_PAD_NONE);
}

/* a primary key of that template, made persistent */
static void make_primary(ESYS_TR hierarchy, const TPM2B_PUBLIC *template,
                         TPM2_HANDLE at)
{
    const TPM2B_SENSITIVE_CREATE sensitive = {.size = 0};
    const TPM2B_DATA outside = {.size = 0};
    const TPML_PCR_SELECTION none = {.count = 0};
    ESYS_TR tr, kept;
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    assert_int_equal(Esys_CreatePrimary(esys, hierarchy, ESYS_TR_PASSWORD,
                                        ESYS_TR_NONE, ESYS_TR_NONE, &sensitive,
                                        template, &outside, &none, &tr, NULL,
                                        NULL, NULL, NULL),
                     0);
    assert_int_equal(Esys_EvictControl(esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, at, &kept),
                     0);
    assert_int_equal(Esys_FlushContext(esys, tr), 0);
    assert_int_equal(Esys_TR_Close(esys, &kept), 0);
    hwk_tpm_end(tpm);
}

/* an endorsement primary that signs only what the TPM hashed itself */
static void make_restricted(const struct hwk_tpm_kind *kind, TPM2_HANDLE at)
{
    TPM2B_PUBLIC t;
    assert_true(hwk_tpm_devid_own(HWK_TPM_IDEVID, kind, &t));
    t.publicArea.objectAttributes |= TPMA_OBJECT_RESTRICTED;
    if (kind->type == TPM2_ALG_RSA) {
        t.publicArea.parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSAPSS;
        t.publicArea.parameters.rsaDetail.scheme.details.rsapss.hashAlg =
            TPM2_ALG_SHA256;
    }
    make_primary(ESYS_TR_RH_ENDORSEMENT, &t, at);
}

/* makes a key under the parent named, or the usual one (0); how many commands
 * it took, 0 when it failed */
static unsigned long long make_under(TPM2_HANDLE parent)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    const struct hwk_uri uri = {.tpm = HWK_TPM_HANDLE,
                                .handle = 0x81020070,
                                .has_parent = parent != 0,
                                .parent = parent};
    unsigned long long before = tpm_commands();
    struct hwk_tpm_key *key = hwk_tpm_make(tpm, &uri, &spec, NULL);
    unsigned long long n = tpm_commands() - before;
    assert_int_equal(tpm_left_behind(), 0);
    if (!key)
        return 0;
    sign_and_verify(key, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, key);
    assert_true(hwk_tpm_erase(tpm, 0x81020070));
    return n;
}

static void parents(void **arg)
{
    TPM2B_PUBLIC t;
    const struct hwk_tpm_kind p256 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    (void)arg;
    need_tpm();
    hwk_tpm_key_free(tpm, ec_key());
    assert_int_equal(make_under(0), 8); /* a primary for the purpose */
    assert_int_equal(make_under(TPM2_RH_ENDORSEMENT), 7);
    tpm_template_sign(&p256, &t); /* a stranger at the usual place */
    make_primary(ESYS_TR_RH_OWNER, &t, 0x81000001);
    assert_int_equal(make_under(0), 8);
    assert_true(hwk_tpm_erase(tpm, 0x81000001));
    hwk_tpm_template_srk(&t);
    make_primary(ESYS_TR_RH_OWNER, &t, 0x81000001);
    assert_int_equal(make_under(0), 6);
    assert_int_equal(make_under(0x81000001), 6);
    assert_true(hwk_tpm_erase(tpm, 0x81000001));
    assert_int_equal(make_under(EC_KEY_AT), 0);
    assert_int_equal(tpm_reason(), HWK_R_KEY);
    assert_int_equal(make_under(0x81000002), 0);
    assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
    assert_int_equal(make_under(TPM2_RH_NULL), 0);
    assert_int_equal(tpm_reason(), HWK_R_UNSUPPORTED);
}

static void restricted_kind(const struct hwk_tpm_kind *kind, enum hwk_pad pad)
{
    static const size_t lengths[] = {0, 1, 1024, 1025, 5000};
    static uint8_t message[5000] = {42};
    struct hwk_mech mech = {.pad = pad,
                            .md = HWK_MD_SHA256,
                            .mgf1 = HWK_MD_SHA256,
                            .salt = 32,
                            .message = true};
    struct hwk_found f;
    make_restricted(kind, 0x81020001);
    assert_true(tpm_find_in(tpm, "tpm2:iak", HWK_WANT_PRIVATE, &f));
    assert_int_equal(f.flags & HWK_FOUND_MESSAGE, HWK_FOUND_MESSAGE);
    assert_int_equal(f.md, HWK_MD_SHA256);
    mech.type = f.pub.type;
    for (size_t i = 0; i < 5; i++) {
        uint8_t sig[HWK_SIG_MAX], digest[32];
        size_t n = sizeof(sig);
        assert_true(
            hwk_tpm_sign(tpm, f.ref, &mech, message, lengths[i], sig, &n));
        EVP_Digest(message, lengths[i], digest, NULL, EVP_sha256(), NULL);
        assert_true(tpm_verify(&f.pub, &mech, digest, 32, sig, n));
    }
    uint8_t sig[HWK_SIG_MAX];
    size_t n = sizeof(sig);
    unsigned long long before = tpm_commands();
    assert_true(hwk_tpm_sign(tpm, f.ref, &mech, message, 1024, sig, &n));
    assert_int_equal(tpm_commands() - before, 2);
    mech.message = false;
    assert_false(hwk_tpm_sign(tpm, f.ref, &mech, message, 32, sig, &n));
    assert_int_equal(tpm_reason(), HWK_R_UNSUPPORTED);
    hwk_tpm_key_free(tpm, f.ref);
    assert_int_equal(tpm_left_behind(), 0);
    assert_true(hwk_tpm_erase(tpm, 0x81020001));
}

static void restricted(void **arg)
{
    (void)arg;
    need_tpm();
    restricted_kind(&(struct hwk_tpm_kind){TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0},
                    HWK_PAD_NONE);
    restricted_kind(&(struct hwk_tpm_kind){TPM2_ALG_RSA, 0, 2048}, HWK_PAD_PSS);
}

/* a device file that one client may have open is closed between operations */
static void parked(void **arg)
{
    (void)arg;
    need_tpm();
    tpm->sharing = HWK_TPM_EXCLUSIVE;
    struct hwk_tpm_key *key = ec_key();
    sign_and_verify(key, (struct hwk_mech){.md = HWK_MD_SHA256});
    assert_false(hwk_tpm_tcti_is_open(tpm->tcti));
    sign_and_verify(key, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, key);
    tpm->sharing = HWK_TPM_BARE;
}

/* where everybody may write, somebody may have been there first */
static void lock_of_another(void **arg)
{
    static const char tcti[] = "swtpm:path=/nonexistent/other";
    uint8_t id[32];
    char path[128];
    int got;
    (void)arg;
    if (geteuid() != 0 || access("/run/idevid", F_OK) == 0)
        skip();
    unsetenv("XDG_RUNTIME_DIR");
    EVP_Digest(tcti, strlen(tcti), id, NULL, EVP_sha256(), NULL);
    snprintf(path, sizeof(path),
             "/tmp/hwkey-tpm-%02x%02x%02x%02x%02x%02x%02x%02x-0.lock", id[0],
             id[1], id[2], id[3], id[4], id[5], id[6], id[7]);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchown(fd, 65534, 65534), 0);
    int ok = hwk_tpm_lock(NULL, tcti, &got);
    unlink(path);
    close(fd);
    assert_false(ok);
    assert_int_equal(got, -1);
    assert_int_equal(tpm_reason(), HWK_R_FILE);
    assert_true(hwk_tpm_lock(NULL, tcti, &got));
    unlink(path);
    hwk_tpm_unlock(got, false);
}

static void decryption(void **arg)
{
    const struct hwk_spec spec = tpm_rsa(2048, HWK_USAGE_DECRYPT);
    struct hwk_mech mech = {.type = HWK_KEY_RSA,
                            .pad = HWK_PAD_OAEP,
                            .md = HWK_MD_SHA256,
                            .mgf1 = HWK_MD_SHA256};
    uint8_t in[256], out[256];
    size_t in_n = sizeof(in), n = sizeof(out);
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_make(0x81020030, &spec, NULL);
    assert_non_null(key);
    struct hwk_pub pub = public_of(key);
    EVP_PKEY *evp = tpm_evp(&pub);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(evp, NULL);
    EVP_PKEY_encrypt_init(ctx);
    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING);
    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256());
    assert_int_equal(
        EVP_PKEY_encrypt(ctx, in, &in_n, (const uint8_t *)"hello", 5), 1);
    assert_true(hwk_tpm_decrypt(tpm, key, &mech, in, in_n, out, &n));
    assert_int_equal(n, 5);
    assert_memory_equal(out, "hello", 5);
    n = 256;
    mech.pad = HWK_PAD_NONE;
    assert_true(hwk_tpm_decrypt(tpm, key, &mech, in, in_n, out, &n));
    assert_int_equal(n, 256);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(evp);
    hwk_tpm_key_free(tpm, key);
    assert_true(hwk_tpm_erase(tpm, 0x81020030));
}

static void agreement(void **arg)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_DECRYPT);
    uint8_t mine[32], theirs[32], point[65];
    size_t n = sizeof(mine), m = sizeof(theirs), p;
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_make(0x81020031, &spec, NULL);
    assert_non_null(key);
    struct hwk_pub pub = public_of(key);
    EVP_PKEY *evp = tpm_evp(&pub), *peer = EVP_EC_gen("P-256");
    EVP_PKEY_get_octet_string_param(peer, "encoded-pub-key", point, 65, &p);
    assert_true(hwk_tpm_derive(tpm, key, point, p, mine, &n));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(peer, NULL);
    EVP_PKEY_derive_init(ctx);
    EVP_PKEY_derive_set_peer(ctx, evp);
    assert_int_equal(EVP_PKEY_derive(ctx, theirs, &m), 1);
    assert_int_equal(n, m);
    assert_memory_equal(mine, theirs, n);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(evp);
    EVP_PKEY_free(peer);
    hwk_tpm_key_free(tpm, key);
    assert_true(hwk_tpm_erase(tpm, 0x81020031));
}

/* --- several at once --- */

static void *signer(void *arg)
{
    struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    struct hwk_tpm_key *shared = arg;
    size_t bad = 0;
    for (int i = 0; i < 30; i++) {
        struct hwk_found f = {.ref = NULL};
        uint8_t digest[32], sig[64];
        size_t n = sizeof(sig);
        RAND_bytes(digest, sizeof(digest));
        bool own = i % 2;
        if (own && (!tpm_find_in(tpm, EC_URI, HWK_WANT_PRIVATE, &f) || !f.ref))
            bad++;
        struct hwk_tpm_key *key = own ? f.ref : shared;
        struct hwk_pub pub = public_of(shared);
        if (!key || !hwk_tpm_sign(tpm, key, &mech, digest, 32, sig, &n) ||
            !tpm_verify(&pub, &mech, digest, 32, sig, n))
            bad++;
        if (own)
            hwk_tpm_key_free(tpm, f.ref);
    }
    return (void *)bad;
}

static void threads(void **arg)
{
    pthread_t t[8];
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = ec_key();
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&t[i], NULL, signer, key), 0);
    for (size_t i = 0; i < 8; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        assert_null(bad);
    }
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
    assert_null(tpm->objects);
}

/* the key of before the fork works on both sides at once */
static void forks(void **arg)
{
    int status = 0;
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = ec_key();
    sign_and_verify(key, (struct hwk_mech){.md = HWK_MD_SHA256});
    pid_t pid = fork();
    if (pid == 0) {
        hwk_tpm_forked(tpm);
        _exit(hwk_tpm_renew(tpm) && !signer(key) ? 0 : 1);
    }
    assert_null(signer(key));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    hwk_tpm_key_free(tpm, key);
}

/* off and on: the key object of before still signs */
static void power_cycle(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = ec_key();
    assert_int_equal(tpm_cycle(), 0);
    sign_and_verify(key, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, key);
}

/* --- PINs and the lockout --- */

static int try_pin(const char *query, struct hwk_found *f)
{
    char text[128];
    uint8_t digest[32] = {1}, sig[64];
    size_t n = sizeof(sig);
    struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    snprintf(text, sizeof(text), "tpm2:handle=0x81020041%s", query);
    assert_true(tpm_find_in(tpm, text, HWK_WANT_PRIVATE, f));
    assert_non_null(f->ref);
    return hwk_tpm_sign(tpm, f->ref, &mech, digest, 32, sig, &n);
}

static TSS2_RC count_signs(void *arg, bool answered, TPM2_CC command)
{
    int *n = arg;
    *n += !answered && command == TPM2_CC_Sign;
    return TSS2_RC_SUCCESS;
}

static void pins(void **arg)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_found f;
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_make(0x81020041, &spec, "open sesame");
    assert_non_null(key);
    sign_and_verify(key, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, key);
    assert_true(try_pin("?pin-value=open%20sesame", &f));
    hwk_tpm_key_free(tpm, f.ref);
    assert_false(try_pin("?pin-value=open", &f));
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    unsigned long long before = tpm_commands();
    uint8_t digest[32] = {1}, sig[64];
    size_t n = sizeof(sig);
    struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    assert_false(hwk_tpm_sign(tpm, f.ref, &mech, digest, 32, sig, &n));
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(tpm_commands(), before); /* never tried twice */
    hwk_tpm_key_free(tpm, f.ref);
    int signs = 0;
    hwk_tpm_set_fault(count_signs, &signs);
    assert_false(try_pin("?pin-value=open", &f)); /* nor when opened again */
    hwk_tpm_set_fault(NULL, NULL);
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(signs, 0);
    hwk_tpm_key_free(tpm, f.ref);
    assert_false(try_pin("", &f));
    assert_int_equal(tpm_reason(), HWK_R_PIN_MISSING);
    hwk_tpm_key_free(tpm, f.ref);
    assert_true(hwk_tpm_erase(tpm, 0x81020041));
}

struct loss {
    int signs;
    bool now;
};

static TSS2_RC lose_sign(void *arg, bool answered, TPM2_CC command)
{
    struct loss *l = arg;
    if (command != TPM2_CC_Sign)
        return TSS2_RC_SUCCESS;
    l->signs += !answered;
    if (!answered || !l->now)
        return TSS2_RC_SUCCESS;
    l->now = false;
    return TSS2_TCTI_RC_IO_ERROR;
}

/* the answer is lost: what may be a wrong PIN is not sent once more, where the
 * TPM counts them */
static void lost_answers(void **arg)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_IDEVID);
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    const uint8_t digest[32] = {1};
    struct loss l = {.now = true};
    uint8_t sig[64];
    size_t n = sizeof(sig);
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_make(0x81020042, &spec, "1234");
    assert_non_null(key);
    hwk_tpm_set_fault(lose_sign, &l);
    assert_false(hwk_tpm_sign(tpm, key, &mech, digest, 32, sig, &n));
    assert_int_equal(tpm_reason(), HWK_R_NO_DEVICE);
    assert_int_equal(l.signs, 1);
    sign_and_verify(key, mech); /* signs twice */
    assert_int_equal(l.signs, 3);
    l.now = true;
    assert_true(hwk_tpm_sign(tpm, key, &mech, digest, 32, sig, &n));
    assert_int_equal(l.signs, 5); /* it is the right one */
    hwk_tpm_set_fault(NULL, NULL);
    hwk_tpm_key_free(tpm, key);
    assert_true(hwk_tpm_erase(tpm, 0x81020042));
}

/* an IDevID with a PIN, guessed at until the TPM has enough: an LDevID made
 * by us signs on */
static void lockout(void **arg)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_IDEVID);
    struct hwk_device_info info;
    struct hwk_found f;
    char pin[32];
    int reason = 0;
    (void)arg;
    need_tpm();
    hwk_tpm_key_free(tpm, tpm_make(0x81020041, &spec, "1234"));
    for (int i = 0; i < 10 && reason != HWK_R_LOCKOUT; i++) {
        snprintf(pin, sizeof(pin), "?pin-value=%04d", i);
        assert_false(try_pin(pin, &f));
        assert_non_null(strstr(ERR_reason_error_string(ERR_peek_last_error()),
                               i < 3 ? "" : "lockout"));
        reason = tpm_reason();
        hwk_tpm_key_free(tpm, f.ref);
    }
    assert_int_equal(reason, HWK_R_LOCKOUT);
    assert_true(hwk_tpm_info(tpm, &info));
    assert_true(info.in_lockout);
    struct hwk_tpm_key *key = ec_key();
    sign_and_verify(key, (struct hwk_mech){.md = HWK_MD_SHA256});
    hwk_tpm_key_free(tpm, key);
}

static void missing(void **arg)
{
    char tcti[] = "swtpm:path=/nonexistent/tpm";
    struct hwk_config cfg = {.tcti = tcti};
    struct hwk_found f;
    const char *data;
    (void)arg;
    struct hwk_tpm *none = hwk_tpm_new(&cfg);
    assert_false(tpm_find_in(none, EC_URI, HWK_WANT_PRIVATE, &f));
    ERR_peek_last_error_all(NULL, NULL, NULL, &data, NULL);
    assert_non_null(strstr(data, tcti));
    assert_int_equal(tpm_reason(), HWK_R_NO_DEVICE);
    hwk_tpm_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_before_need),
        cmocka_unit_test(ecdsa),
        cmocka_unit_test(ecdsa_width),
        cmocka_unit_test(rsa),
        cmocka_unit_test(open_twice),
        cmocka_unit_test(occupied),
        cmocka_unit_test(replaced),
        cmocka_unit_test(replaced_by_another),
        cmocka_unit_test(idevid),
        cmocka_unit_test(parents),
        cmocka_unit_test(restricted),
        cmocka_unit_test(parked),
        cmocka_unit_test(lock_of_another),
        cmocka_unit_test(decryption),
        cmocka_unit_test(agreement),
        cmocka_unit_test(threads),
        cmocka_unit_test(forks),
        cmocka_unit_test(power_cycle),
        cmocka_unit_test(pins),
        cmocka_unit_test(missing),
        cmocka_unit_test(lost_answers),
        cmocka_unit_test(lockout),
    };
    return cmocka_run_group_tests(tests, tpm_setup, tpm_teardown);
}
