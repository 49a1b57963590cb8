/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's row without a TPM: policies, templates, numbers, NV contents. */
#include <stdlib.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_nvdata.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_template.h"
#include "provider/pss.h"
#include "tpm.h"

static void assert_hex(const uint8_t *p, size_t n, const char *hex)
{
    char text[200];
    assert_true(2 * n < sizeof(text));
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", p[i]);
    assert_string_equal(text, hex);
}

static void policy_is(TPMI_ALG_HASH alg, enum hwk_tpm_name kind,
                      const char *hex)
{
    TPM2B_DIGEST d;
    assert_true(hwk_tpm_policy_devid(alg, kind, NULL, &d));
    assert_hex(d.buffer, d.size, hex);
}

/* the published digests, reached from the inputs of the specification */
static void policies(void **arg)
{
    (void)arg;
    policy_is(TPM2_ALG_SHA256, HWK_TPM_IDEVID,
              "ad6b3a2284fd698a0710bf5cc1b9bdf1"
              "5e2532e3f601fa4b93a6a8fa8de579ea");
    policy_is(TPM2_ALG_SHA256, HWK_TPM_IAK,
              "5437182326e414fca797d5f174615a16"
              "41f61255797c3a2b22c21d120b2d1e07");
    policy_is(TPM2_ALG_SHA384, HWK_TPM_IDEVID,
              "4db1aa836d0b5615df6ee53a40ef70c61c217f4303d44695"
              "925972bc927006cfa5cbdf6dc18c4dbe329b2f1542c3dd33");
    policy_is(TPM2_ALG_SHA384, HWK_TPM_IAK,
              "129d94ebf84556652c6eef43bbb757512ac87e52be7b349c"
              "a6ce4d826f749fcf672f51716c5cbb605f313bf345aab312");
    policy_is(TPM2_ALG_SHA512, HWK_TPM_IDEVID,
              "7dd7500fd6c1b94f97a6af910da147301ef28f662fee06f225a4ccadda3b4e6b"
              "38e66b2f3ad5dee1a0503cd2daedb1e68cfe4f84b03a8cd22bb6a976f071a72"
              "f");
    policy_is(TPM2_ALG_SHA512, HWK_TPM_IAK,
              "8060d1fb31716a29e48a6e5fece088bcfc1b278fc162255e81c3eca3544cd44a"
              "f94410c3715d561cccd9e39a6cb2646d43535bb54ea88710deb5f7836bd9b58"
              "6");
}

static void branches(void **arg)
{
    TPM2B_DIGEST b[HWK_TPM_DEVID_BRANCHES], policy;
    (void)arg;
    assert_true(
        hwk_tpm_policy_devid(TPM2_ALG_SHA256, HWK_TPM_IDEVID, b, &policy));
    assert_hex(b[0].buffer, 8, "837197674484b3f8");
    assert_hex(b[1].buffer, 4, "b2a69e63");
    assert_hex(b[2].buffer, 4, "cd9917cf");
    assert_hex(b[3].buffer, 32,
               "629c50b05f1adb5b4297feb241549d42"
               "17a1c792c162feb861022def88fa9501");
    assert_false(
        hwk_tpm_policy_devid(TPM2_ALG_SHA1, HWK_TPM_IDEVID, b, &policy));
}

static void templates(void **arg)
{
    TPM2B_PUBLIC p;
    const TPMT_PUBLIC *t = &p.publicArea;
    (void)arg;
    assert_true(hwk_tpm_devid_own(
        HWK_TPM_IDEVID, &(struct hwk_tpm_kind){TPM2_ALG_RSA, 0, 2048}, &p));
    assert_int_equal(t->objectAttributes, 0x000400F2);
    assert_int_equal(t->unique.rsa.size, 6);
    assert_memory_equal(t->unique.rsa.buffer, "IDEVID", 6);
    assert_int_equal(t->parameters.rsaDetail.scheme.scheme, TPM2_ALG_NULL);
    assert_int_equal(t->parameters.rsaDetail.exponent, 0);
    assert_true(hwk_tpm_devid_own(
        HWK_TPM_IDEVID,
        &(struct hwk_tpm_kind){TPM2_ALG_ECC, TPM2_ECC_NIST_P384, 0}, &p));
    assert_int_equal(t->nameAlg, TPM2_ALG_SHA384);
    assert_int_equal(hwk_tpm_scheme_hash(&p), TPM2_ALG_SHA384);
    assert_int_equal(t->authPolicy.size, 48);
    assert_int_equal(t->unique.ecc.x.size, 6);
    assert_int_equal(t->unique.ecc.y.size, 0);
    assert_false(hwk_tpm_devid_own(
        HWK_TPM_IDEVID, &(struct hwk_tpm_kind){TPM2_ALG_RSA, 0, 3072}, &p));
    tpm_template_sign(
        &(struct hwk_tpm_kind){TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0}, &p);
    assert_true(t->objectAttributes & TPMA_OBJECT_NODA);
    assert_false(hwk_tpm_is_parent(&p));
    hwk_tpm_template_srk(&p);
    assert_true(hwk_tpm_is_parent(&p));
    assert_int_equal(hwk_tpm_flags(&p), HWK_FOUND_NO_SIGN);
}

/* the table of dialects, as the world writes them */
static void dialects(void **arg)
{
    static const struct {
        const char *name;
        const char *x, *y;
        TPM2_ALG_ID scheme;
    } want[] = {
        {"H-2/swtpm", "IDEVID", "", TPM2_ALG_ECDSA},
        {"H-2/keylime", "IDEVID", "IDEVID", TPM2_ALG_ECDSA},
        {"H-2/wolftpm", "IDE", "VID", TPM2_ALG_ECDSA},
        {"H-2/swtpm-null", "IDEVID", "", TPM2_ALG_NULL},
        {"H-2/keylime-null", "IDEVID", "IDEVID", TPM2_ALG_NULL},
        {"H-2/wolftpm-null", "IDE", "VID", TPM2_ALG_NULL},
    };
    struct hwk_tpm_devid d;
    char name[HWK_TPM_DEVID_NAME_MAX];
    TPM2B_PUBLIC p;
    const TPMS_ECC_POINT *q = &p.publicArea.unique.ecc;
    (void)arg;
    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
        assert_true(hwk_tpm_devid_nth(HWK_TPM_IDEVID, i, &d));
        hwk_tpm_devid_name(&d, name);
        assert_string_equal(name, want[i].name);
        assert_true(hwk_tpm_devid_template(&d, &p));
        assert_int_equal(p.publicArea.objectAttributes, 0x000400F2);
        assert_int_equal(q->x.size, strlen(want[i].x));
        assert_memory_equal(q->x.buffer, want[i].x, q->x.size);
        assert_int_equal(q->y.size, strlen(want[i].y));
        assert_memory_equal(q->y.buffer, want[i].y, q->y.size);
        assert_int_equal(hwk_tpm_scheme(&p), want[i].scheme);
        assert_true(hwk_tpm_devid_is(&d, name));
        assert_true(hwk_tpm_devid_is(&d, "H-2"));
        assert_false(hwk_tpm_devid_is(&d, "H-3"));
    }
    assert_false(hwk_tpm_devid_nth(HWK_TPM_IDEVID, 19, &d));
    assert_true(hwk_tpm_devid_nth(HWK_TPM_IDEVID, 18, &d));
    hwk_tpm_devid_name(&d, name);
    assert_string_equal(name, "H-1");
    assert_true(hwk_tpm_devid_known("H-4/wolftpm-null"));
    assert_false(hwk_tpm_devid_known("H-1/keylime"));
    assert_false(hwk_tpm_devid_known("H-5"));
    assert_false(hwk_tpm_devid_known(""));
}

/* an IAK is restricted, and its scheme is said in every dialect */
static void attestation(void **arg)
{
    struct hwk_tpm_devid d;
    TPM2B_PUBLIC p;
    const TPMT_PUBLIC *t = &p.publicArea;
    size_t n = 0;
    (void)arg;
    for (; hwk_tpm_devid_nth(HWK_TPM_IAK, n, &d); n++) {
        assert_true(hwk_tpm_devid_template(&d, &p));
        assert_int_equal(t->objectAttributes, 0x000500F2);
        assert_int_not_equal(hwk_tpm_scheme(&p), TPM2_ALG_NULL);
        assert_int_equal(hwk_tpm_scheme_hash(&p), t->nameAlg);
        if (n == 2) { /* wolfTPM halves three letters */
            assert_int_equal(t->unique.ecc.x.size, 1);
            assert_int_equal(t->unique.ecc.x.buffer[0], 'I');
            assert_int_equal(t->unique.ecc.y.size, 1);
            assert_int_equal(t->unique.ecc.y.buffer[0], 'A');
        }
    }
    assert_int_equal(n, 10);
    assert_int_equal(t->type, TPM2_ALG_RSA);
    assert_int_equal(hwk_tpm_scheme(&p), TPM2_ALG_RSASSA);
    assert_int_equal(t->unique.rsa.size, 3);
    assert_memory_equal(t->unique.rsa.buffer, "IAK", 3);
}

/* a certificate's key says which templates are worth trying */
static void candidates(void **arg)
{
    struct hwk_pub pub = {.type = HWK_KEY_EC, .curve = hwk_curve_by_bits(384)};
    struct hwk_tpm_devid d;
    unsigned ec = 0, rsa = 0;
    (void)arg;
    for (size_t i = 0; hwk_tpm_devid_nth(HWK_TPM_IDEVID, i, &d); i++)
        ec += hwk_tpm_devid_like(&d, &pub);
    pub = (struct hwk_pub){.type = HWK_KEY_RSA, .n = {0x80}, .n_len = 256};
    for (size_t i = 0; hwk_tpm_devid_nth(HWK_TPM_IDEVID, i, &d); i++)
        rsa += hwk_tpm_devid_like(&d, &pub);
    assert_int_equal(ec, 6);
    assert_int_equal(rsa, 1);
    pub.n_len = 384;
    assert_true(hwk_tpm_devid_nth(HWK_TPM_IDEVID, 18, &d));
    assert_false(hwk_tpm_devid_like(&d, &pub));
}

/* IDevIDs of the TCG's curves sign whatever digest; others are tied to one */
static void mandatory(void **arg)
{
    TPM2B_PUBLIC p;
    (void)arg;
    for (unsigned c = TPM2_ECC_NIST_P256; c <= TPM2_ECC_NIST_P521; c++) {
        assert_true(hwk_tpm_devid_own(
            HWK_TPM_IDEVID,
            &(struct hwk_tpm_kind){TPM2_ALG_ECC, (TPMI_ECC_CURVE)c, 0}, &p));
        assert_int_equal(hwk_tpm_mandatory_md(&p), HWK_MD_NONE);
    }
    p.publicArea.parameters.eccDetail.scheme.details.ecdsa.hashAlg =
        TPM2_ALG_SHA256; /* P-521 with a short digest */
    assert_int_equal(hwk_tpm_mandatory_md(&p), HWK_MD_SHA256);
    p.publicArea.objectAttributes |= TPMA_OBJECT_RESTRICTED;
    assert_int_equal(hwk_tpm_flags(&p), HWK_FOUND_MESSAGE);
}

static void public_keys(void **arg)
{
    TPM2B_PUBLIC p;
    struct hwk_pub pub;
    (void)arg;
    tpm_template_sign(
        &(struct hwk_tpm_kind){TPM2_ALG_ECC, TPM2_ECC_NIST_P521, 0}, &p);
    p.publicArea.unique.ecc.x.size = 65; /* a TPM that drops leading zeros */
    memset(p.publicArea.unique.ecc.x.buffer, 0x11, 65);
    p.publicArea.unique.ecc.y.size = 66;
    memset(p.publicArea.unique.ecc.y.buffer, 0x01, 66);
    assert_true(hwk_tpm_public(&p, &pub));
    assert_string_equal(pub.curve->nist, "P-521");
    assert_int_equal(pub.point_len, 133);
    assert_int_equal(pub.point[1], 0);
    assert_int_equal(pub.point[2], 0x11);
    tpm_template_sign(&(struct hwk_tpm_kind){TPM2_ALG_RSA, 0, 3072}, &p);
    p.publicArea.unique.rsa.size = 384;
    memset(p.publicArea.unique.rsa.buffer, 0x81, 384);
    assert_true(hwk_tpm_public(&p, &pub));
    assert_int_equal(hwk_pub_bits(&pub), 3072);
    assert_hex(pub.e, pub.e_len, "010001");
    p.publicArea.type = TPM2_ALG_KEYEDHASH;
    assert_false(hwk_tpm_public(&p, &pub));
    assert_int_equal(tpm_reason(), HWK_R_KEY);
    tpm_template_sign(
        &(struct hwk_tpm_kind){TPM2_ALG_ECC, TPM2_ECC_BN_P256, 0}, &p);
    assert_false(hwk_tpm_public(&p, &pub));
    assert_int_equal(tpm_reason(), HWK_R_KEY);
}

static void ecdsa_digests(void **arg)
{
    uint8_t in[64];
    TPM2B_DIGEST d;
    TPMI_ALG_HASH alg = TPM2_ALG_NULL;
    (void)arg;
    for (size_t i = 0; i < 64; i++)
        in[i] = (uint8_t)(i + 1);
    /* longer than the order: its first bytes */
    assert_true(hwk_tpm_ecdsa_digest(TPM2_ECC_NIST_P256, in, 64, &alg, &d));
    assert_int_equal(alg, TPM2_ALG_SHA256);
    assert_memory_equal(d.buffer, in, 32);
    /* shorter: zeros before it */
    alg = TPM2_ALG_SHA384;
    assert_true(hwk_tpm_ecdsa_digest(TPM2_ECC_NIST_P384, in, 20, &alg, &d));
    assert_int_equal(d.size, 48);
    assert_int_equal(d.buffer[27], 0);
    assert_memory_equal(d.buffer + 28, in, 20);
    /* a hash longer than the order: the TPM cuts on the right */
    alg = TPM2_ALG_SHA512;
    assert_true(hwk_tpm_ecdsa_digest(TPM2_ECC_NIST_P256, in, 20, &alg, &d));
    assert_int_equal(d.size, 64);
    assert_memory_equal(d.buffer + 12, in, 20);
    assert_int_equal(d.buffer[32], 0);
    /* tied to a hash too short */
    alg = TPM2_ALG_SHA256;
    assert_false(hwk_tpm_ecdsa_digest(TPM2_ECC_NIST_P384, in, 48, &alg, &d));
}

static int hash_of(const void *md, const uint8_t *p, size_t n, uint8_t *out)
{
    return EVP_Digest(p, n, out, NULL, md, NULL);
}

/* our PSS against OpenSSL's, both ways, sizes that are no multiple of 8 too */
static void pss(void **arg)
{
    uint8_t digest[32] = {7}, salt[40] = {9}, block[260], sig[260];
    (void)arg;
    static const unsigned lengths[] = {2041, 2046, 2048};
    const struct hwk_pss_hash sha256 = {32, hash_of, EVP_sha256()};
    const struct hwk_pss_hash sha512 = {64, hash_of, EVP_sha512()};
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY *key = EVP_RSA_gen(lengths[i]);
        unsigned bits = (unsigned)EVP_PKEY_get_bits(key);
        assert_int_equal(bits, lengths[i]);
        size_t size = (size_t)EVP_PKEY_get_size(key), n = size;
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
        assert_true(
            hwk_pss_encode(&sha256, &sha256, digest, salt, 20, bits, block));
        EVP_PKEY_sign_init(ctx);
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING);
        assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, block, size), 1);
        EVP_PKEY_verify_init(ctx);
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 20);
        assert_int_equal(EVP_PKEY_verify(ctx, sig, n, digest, 32), 1);
        BIGNUM *m = NULL, *e = NULL;
        struct hwk_pub pub;
        uint8_t mod[260], exp[3];
        EVP_PKEY_get_bn_param(key, "n", &m);
        EVP_PKEY_get_bn_param(key, "e", &e);
        BN_bn2bin(e, exp);
        assert_true(hwk_pub_rsa(&pub, mod, (size_t)BN_bn2bin(m, mod), exp, 3));
        assert_int_equal(hwk_pss_salt(&sha256, digest, &pub, sig, n), 20);
        digest[0]++;
        assert_int_equal(hwk_pss_salt(&sha256, digest, &pub, sig, n), -1);
        BN_free(m);
        BN_free(e);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(key);
    }
    assert_false(
        hwk_pss_encode(&sha512, &sha512, block, block, 130, 1536, sig));
}

static size_t certificate(uint8_t *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 60);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    int n = i2d_X509(x, &out);
    X509_free(x);
    EVP_PKEY_free(key);
    return (size_t)n;
}

static void contents(void **arg)
{
    uint8_t der[1024], buf[2048];
    size_t n = certificate(der), size = n + 100;
    (void)arg;
    memset(buf, 0, sizeof(buf));
    memcpy(buf, der, n);
    assert_int_equal(hwk_tpm_nv_content(buf, &size), HWK_OBJ_CERT);
    assert_int_equal(size, n);
    const uint8_t *p = der;
    X509 *x = d2i_X509(NULL, &p, (long)n);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x);
    size = (size_t)BIO_read(bio, buf, sizeof(buf));
    assert_int_equal(hwk_tpm_nv_content(buf, &size), HWK_OBJ_CERT);
    assert_int_equal(size, n);
    assert_memory_equal(buf, der, n);
    BIO_free(bio);
    X509_free(x);
    memset(buf, '-', 64);
    size = 64;
    assert_int_equal(hwk_tpm_nv_content(buf, &size), HWK_OBJ_DATA);
    assert_int_equal(size, 64);
    assert_int_equal(ERR_peek_error(), 0);
}

static void commitment(void **arg)
{
    uint8_t data[1500] = {1, 2, 3};
    TPM2B_NV_PUBLIC p;
    TPMS_NV_PUBLIC *v = &p.nvPublic;
    (void)arg;
    assert_true(hwk_tpm_nv_template(0x01800A02, data, 1500, true, 1024, &p));
    assert_int_equal(v->attributes, TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD |
                                        TPMA_NV_AUTHREAD | TPMA_NV_NO_DA |
                                        TPMA_NV_WRITEDEFINE);
    assert_false(hwk_tpm_nv_whole(v, data, 1500)); /* not written */
    v->attributes |= TPMA_NV_WRITTEN;
    assert_true(hwk_tpm_nv_whole(v, data, 1500));
    data[1499] = 1;
    assert_false(hwk_tpm_nv_whole(v, data, 1500)); /* a chunk is missing */
    v->attributes |= TPMA_NV_POLICYWRITE;          /* somebody else's index */
    assert_true(hwk_tpm_nv_whole(v, data, 1500));
    assert_true(hwk_tpm_nv_template(0x01800A02, data, 1024, false, 1024, &p));
    assert_true(v->attributes & TPMA_NV_WRITEALL);
    assert_false(v->attributes & TPMA_NV_WRITEDEFINE);
    assert_false(hwk_tpm_nv_template(0x01800A02, data, 0, false, 1024, &p));
}

/* what a code comes to: its text has those words, and whether the line (or what
 * was loaded) is lost with it */
static void told(TSS2_RC rc, const char *words, bool broken)
{
    struct hwk_tpm t = {.name = (char *)(uintptr_t) "x"};
    const char *data = NULL;
    assert_false(hwk_tpm_check(&t, rc, "Sign", 0x81000001));
    ERR_peek_last_error_all(NULL, NULL, NULL, &data, NULL);
    assert_non_null(strstr(data, "TPM x: Sign of 0x81000001: "));
    assert_non_null(strstr(data, words));
    assert_int_equal(t.broken, broken);
    ERR_clear_error();
}

static void hints(void **arg)
{
    (void)arg;
    told(0x100, "not started up", false);
    told(0x101, "failure mode", false);
    told(0x120, "does not have that command now", false);
    told(0x143, "this TPM does not have", false);
    told(0x1df, "another parent", false);
    told(0x901, "saved too long ago", false);
    told(0x902, "resource manager", false);
    told(0xb0902, "resource manager", false);
    told(0xc0902, "resource manager", false);
    told(0x903, "slots for sessions", false);
    told(0x904, "out of memory", false);
    told(0x909, "cancelled", false);
    told(0x920, "wears out", false);
    told(0x921, "lockout", false);
    told(0x922, "ten seconds", false);
    told(0x923, "cannot write", false);
    told(0x910, "(0x910)", true);
    told(0x918, "(0x918)", true);
    told(0x18b, "(0x18b)", false);
    told(0xa000a, "(0xa000a)", true);
    told(0xb0001, "(0xb0001)", true);
    assert_true(hwk_tpm_rc_lost(0x910));
    assert_true(hwk_tpm_rc_lost(0x18b));
    assert_true(hwk_tpm_rc_lost(0x91e));
    assert_true(hwk_tpm_rc_lost(0xa000a));
    assert_false(hwk_tpm_rc_lost(0));
    assert_false(hwk_tpm_rc_lost(0x90f));
    assert_false(hwk_tpm_rc_lost(0x91f));
    assert_false(hwk_tpm_rc_lost(0x98e));
}

static void whose_slots(void **arg)
{
    static const struct {
        const char *tcti;
        enum hwk_tpm_sharing sharing;
    } all[] = {
        {"device:/dev/tpmrm0", HWK_TPM_MANAGED},
        {"/dev/tpmrm0", HWK_TPM_MANAGED},
        {"libtss2-tcti-device.so.0:/dev/tpmrm1", HWK_TPM_MANAGED},
        {"pcap:device:/dev/tpmrm0", HWK_TPM_MANAGED},
        {"tabrmd", HWK_TPM_MANAGED},
        {"tabrmd:bus_type=session", HWK_TPM_MANAGED},
        {"/usr/lib/libtss2-tcti-tabrmd.so.0:x", HWK_TPM_MANAGED},
        {"device:/dev/tpm0", HWK_TPM_EXCLUSIVE},
        {"device", HWK_TPM_EXCLUSIVE},
        {"/dev/tpm0", HWK_TPM_EXCLUSIVE},
        {"pcap:device:/dev/tpm0", HWK_TPM_EXCLUSIVE},
        {"swtpm:path=/run/tpmrm0/device/tabrmd", HWK_TPM_BARE},
        {"mssim:host=device,port=2321", HWK_TPM_BARE},
        {"swtpm", HWK_TPM_BARE},
        {"", HWK_TPM_BARE},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        assert_int_equal(hwk_tpm_sharing(all[i].tcti), all[i].sharing);
}

static void codes(void **arg)
{
    (void)arg;
    assert_int_equal(hwk_tpm_reason(0x921), HWK_R_LOCKOUT);
    assert_int_equal(hwk_tpm_reason(0x98e), HWK_R_PIN_INCORRECT);
    assert_int_equal(hwk_tpm_reason(0x9a2), HWK_R_PIN_INCORRECT);
    assert_int_equal(hwk_tpm_reason(0x18b), HWK_R_NOT_FOUND);
    assert_int_equal(hwk_tpm_reason(0x14c), HWK_R_EXISTS);
    assert_int_equal(hwk_tpm_reason(0xa000a), HWK_R_NO_DEVICE);
    assert_int_equal(hwk_tpm_reason(0x70001), HWK_R_BUS);
    assert_int_equal(hwk_tpm_reason(0x70005), HWK_R_TPM);
    assert_int_equal(hwk_tpm_sharing("device:/dev/tpmrm0"), HWK_TPM_MANAGED);
    assert_int_equal(hwk_tpm_sharing("tabrmd:bus_type=session"),
                     HWK_TPM_MANAGED);
    assert_int_equal(hwk_tpm_sharing("device:/dev/tpm0"), HWK_TPM_EXCLUSIVE);
    assert_int_equal(hwk_tpm_sharing("swtpm:path=/x"), HWK_TPM_BARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies),      cmocka_unit_test(branches),
        cmocka_unit_test(templates),     cmocka_unit_test(dialects),
        cmocka_unit_test(attestation),   cmocka_unit_test(candidates),
        cmocka_unit_test(mandatory),     cmocka_unit_test(public_keys),
        cmocka_unit_test(ecdsa_digests), cmocka_unit_test(pss),
        cmocka_unit_test(contents),      cmocka_unit_test(commitment),
        cmocka_unit_test(hints),         cmocka_unit_test(whose_slots),
        cmocka_unit_test(codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
