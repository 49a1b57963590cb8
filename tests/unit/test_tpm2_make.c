/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made in a TPM and brought into one: what was asked is what comes. */
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_spec.h"
#include "provider/device/tpm2_wrap.h"
#include "tpm.h"
#include "tpm_blob.h"

#define KEY_AT 0x81020070
#define PARENT_AT 0x81020071

/* --- what was asked, as a public area --- */

struct asked {
    struct hwk_spec spec;
    TPMA_OBJECT set, clear;
    TPM2_ALG_ID scheme;
    TPMI_ALG_HASH hash;
};

#define EC .type = HWK_KEY_EC, .usage = HWK_USAGE_SIGN
#define RSA .type = HWK_KEY_RSA, .bits = 2048, .usage = HWK_USAGE_SIGN
#define PSS RSA, .pss = {.only = true}
#define BOUND (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT)
#define SIGN TPMA_OBJECT_SIGN_ENCRYPT
#define DECRYPT TPMA_OBJECT_DECRYPT

static const struct asked asked[] = {
    {{EC},
     SIGN | BOUND | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
     DECRYPT | TPMA_OBJECT_RESTRICTED,
     TPM2_ALG_NULL,
     TPM2_ALG_NULL},
    {{RSA, .tpm = {.lockout = true}},
     SIGN,
     TPMA_OBJECT_NODA,
     TPM2_ALG_NULL,
     TPM2_ALG_NULL},
    {{.type = HWK_KEY_RSA,
      .bits = 3072,
      .usage = HWK_USAGE_SIGN | HWK_USAGE_DECRYPT},
     SIGN | DECRYPT,
     TPMA_OBJECT_RESTRICTED,
     TPM2_ALG_NULL,
     TPM2_ALG_NULL},
    {{.type = HWK_KEY_EC, .usage = HWK_USAGE_DERIVE},
     DECRYPT,
     SIGN,
     TPM2_ALG_NULL,
     TPM2_ALG_NULL},
    {{EC, .tpm = {.policy = "auth"}},
     SIGN,
     TPMA_OBJECT_USERWITHAUTH,
     TPM2_ALG_NULL,
     TPM2_ALG_NULL},
    {{EC, .tpm = {.policy = "auth", .auth_too = true}},
     TPMA_OBJECT_USERWITHAUTH,
     0,
     TPM2_ALG_NULL,
     TPM2_ALG_NULL},
    {{EC, .tpm = {.restricted = true}},
     TPMA_OBJECT_RESTRICTED,
     0,
     TPM2_ALG_ECDSA,
     TPM2_ALG_SHA256},
    {{RSA, .tpm = {.restricted = true, .name = HWK_MD_SHA384}},
     TPMA_OBJECT_RESTRICTED,
     0,
     TPM2_ALG_RSASSA,
     TPM2_ALG_SHA384},
    {{EC, .tpm = {.digest = HWK_MD_SHA512}},
     SIGN,
     TPMA_OBJECT_RESTRICTED,
     TPM2_ALG_ECDSA,
     TPM2_ALG_SHA512},
    {{.type = HWK_KEY_RSA,
      .bits = 2048,
      .usage = HWK_USAGE_DECRYPT,
      .tpm = {.tied = HWK_TIED_RSAES}},
     DECRYPT,
     SIGN,
     TPM2_ALG_RSAES,
     TPM2_ALG_NULL},
    {{PSS}, SIGN, 0, TPM2_ALG_RSAPSS, TPM2_ALG_SHA256},
    {{RSA, .pss = {true, HWK_MD_SHA384, HWK_MD_SHA384, 32}},
     SIGN,
     0,
     TPM2_ALG_RSAPSS,
     TPM2_ALG_SHA384},
};

static const struct {
    struct hwk_spec spec;
    int reason;
} contradictions[] = {
    {{RSA, .pss = {true, HWK_MD_SHA256, HWK_MD_SHA384, 32}}, HWK_R_UNSUPPORTED},
    {{RSA, .pss = {true, HWK_MD_SHA256, HWK_MD_SHA256, 33}}, HWK_R_UNSUPPORTED},
    {{RSA, .tpm = {.tied = HWK_TIED_RSAPSS}}, HWK_R_PARAM},
    {{RSA, .tpm = {.tied = HWK_TIED_ECDSA}}, HWK_R_PARAM},
    {{EC, .tpm = {.tied = HWK_TIED_RSASSA}}, HWK_R_PARAM},
    {{RSA, .tpm = {.tied = HWK_TIED_OAEP}}, HWK_R_PARAM},
    {{.type = HWK_KEY_RSA,
      .bits = 2048,
      .usage = HWK_USAGE_DECRYPT,
      .tpm = {.restricted = true}},
     HWK_R_PARAM},
    {{.type = HWK_KEY_RSA,
      .bits = 2048,
      .usage = HWK_USAGE_DECRYPT,
      .tpm = {.tied = HWK_TIED_RSAES, .digest = HWK_MD_SHA256}},
     HWK_R_PARAM},
    {{.type = HWK_KEY_RSA,
      .bits = 2048,
      .usage = HWK_USAGE_SIGN | HWK_USAGE_DECRYPT,
      .tpm = {.digest = HWK_MD_SHA256}},
     HWK_R_PARAM},
    {{.type = HWK_KEY_RSA, .bits = 2048, .usage = HWK_USAGE_DERIVE}, HWK_R_KEY},
    {{EC, .tpm = {.auth_too = true}}, HWK_R_PARAM},
    {{EC, .tpm = {.name = HWK_MD_SHA1}}, HWK_R_DIGEST},
    {{EC, .tpm = {.digest = HWK_MD_SHA512_256}}, HWK_R_DIGEST},
    {{RSA, .exponent = (uint64_t)1 << 32}, HWK_R_KEY},
    {{EC, .extractable = true}, HWK_R_UNSUPPORTED},
    {{EC, .always_auth = true}, HWK_R_UNSUPPORTED},
    {{.type = HWK_KEY_ED, .usage = HWK_USAGE_SIGN}, HWK_R_KEY},
    {{.type = HWK_KEY_EC, .usage = HWK_USAGE_IDEVID, .tpm = {.lockout = true}},
     HWK_R_KEY},
    {{.type = HWK_KEY_EC, .usage = HWK_USAGE_IDEVID | HWK_USAGE_SIGN},
     HWK_R_KEY},
};

static struct hwk_spec on_p256(const struct hwk_spec *of)
{
    struct hwk_spec spec = *of;
    spec.curve = spec.type == HWK_KEY_EC ? hwk_curve_by_bits(256) : NULL;
    return spec;
}

static void specs(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
        const struct asked *a = &asked[i];
        const struct hwk_spec spec = on_p256(&a->spec);
        TPM2B_PUBLIC pub;
        assert_true(hwk_tpm_spec_public(&spec, &pub));
        TPMA_OBJECT o = pub.publicArea.objectAttributes;
        assert_int_equal(o & a->set, a->set);
        assert_int_equal(o & a->clear, 0);
        assert_int_equal(hwk_tpm_scheme(&pub), a->scheme);
        assert_int_equal(hwk_tpm_scheme_hash(&pub), a->hash);
    }
}

static void contradicting(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(contradictions) / sizeof(*contradictions);
         i++) {
        const struct hwk_spec spec = on_p256(&contradictions[i].spec);
        TPM2B_PUBLIC pub;
        assert_false(hwk_tpm_spec_public(&spec, &pub));
        assert_int_equal(tpm_reason(), contradictions[i].reason);
    }
}

/* --- helpers --- */

static struct hwk_secret *secret(const char *text)
{
    return text ? hwk_secret_new(text, strlen(text)) : NULL;
}

/* makes what spec says where the URI says, with auth values of spec.tpm */
static struct hwk_tpm_key *make_at(const char *text,
                                   const struct hwk_spec *spec)
{
    struct hwk_uri uri;
    assert_true(hwk_uri_parse(text, &uri));
    struct hwk_tpm_key *key = hwk_tpm_make(tpm, &uri, spec, NULL);
    hwk_uri_clear(&uri);
    return key;
}

/* signs with what there is, verified by OpenSSL */
static bool signs(struct hwk_tpm_key *key)
{
    struct hwk_pub pub;
    struct hwk_mech mech = {.md = HWK_MD_SHA256, .mgf1 = HWK_MD_SHA256};
    uint8_t digest[32], sig[HWK_SIG_MAX];
    size_t n = sizeof(sig);
    assert_true(hwk_tpm_public(&key->object->pub, &pub));
    assert_true(RAND_bytes(digest, sizeof(digest)) > 0);
    mech.type = pub.type;
    if (pub.type == HWK_KEY_RSA)
        mech.pad = HWK_PAD_PKCS1;
    return hwk_tpm_sign(tpm, key, &mech, digest, 32, sig, &n) &&
           tpm_verify(&pub, &mech, digest, 32, sig, n);
}

static void made_signs(const char *text, const struct hwk_spec *spec)
{
    struct hwk_tpm_key *key = make_at(text, spec);
    assert_non_null(key);
    assert_true(signs(key));
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
}

/* --- key files --- */

/* the file a key was made as, read and loaded again, under that value */
static struct hwk_tpm_key *again(const struct hwk_tpm_key *key, const char *pin)
{
    struct hwk_tpm_keyfile *f;
    struct hwk_tpm_key *twin = NULL;
    uint8_t *der;
    size_t n;
    assert_true(hwk_tpm_keyfile_encode(key->file, &der, &n));
    assert_true(hwk_tpm_keyfile_parse(der, n, &f));
    OPENSSL_free(der);
    const struct hwk_tpm_parent parent = {f->parent, f->rsa_parent, NULL};
    assert_non_null(hwk_tpm_begin(tpm));
    struct hwk_tpm_object *o =
        hwk_tpm_object_blob(tpm, &parent, &f->pub, &f->priv);
    if (o)
        twin = hwk_tpm_key_new(tpm, o, secret(pin));
    hwk_tpm_end(tpm);
    hwk_tpm_keyfile_free(f);
    return twin;
}

static void files(void **arg)
{
    struct hwk_secret *pin = secret("1234");
    struct hwk_spec spec = tpm_ec(384, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    spec.tpm.auth = pin;
    spec.tpm.name = HWK_MD_SHA384;
    struct hwk_tpm_key *key = make_at("tpm2:parent=owner", &spec);
    assert_non_null(key);
    assert_int_equal(key->file->parent, TPM2_RH_OWNER);
    assert_false(key->file->empty_auth);
    assert_int_equal(key->file->pub.publicArea.nameAlg, TPM2_ALG_SHA384);
    assert_true(signs(key));
    struct hwk_tpm_key *twin = again(key, "1234");
    assert_non_null(twin);
    hwk_tpm_key_free(tpm, key);
    assert_true(signs(twin));
    hwk_tpm_key_free(tpm, twin);
    hwk_secret_free(pin);
    assert_int_equal(tpm_left_behind(), 0);
}

/* the RSA storage root key, and the one at its usual handle */
static void parents(void **arg)
{
    struct hwk_spec spec = tpm_rsa(2048, HWK_USAGE_SIGN | HWK_USAGE_DECRYPT);
    (void)arg;
    need_tpm();
    spec.tpm.rsa_parent = true;
    struct hwk_tpm_key *key = make_at("tpm2:", &spec);
    assert_non_null(key);
    assert_int_equal(key->file->parent, TPM2_RH_OWNER);
    assert_true(key->file->rsa_parent && key->file->empty_auth);
    assert_true(signs(key));
    hwk_tpm_key_free(tpm, key);
    spec = tpm_ec(256, HWK_USAGE_SIGN);
    key = make_at("tpm2:", &spec);
    assert_int_equal(key->file->parent, TPM2_RH_OWNER);
    assert_false(key->file->rsa_parent);
    hwk_tpm_key_free(tpm, key);
    tpm_srk();
    unsigned long long before = tpm_commands();
    key = make_at("tpm2:", &spec);
    assert_non_null(key);
    assert_int_equal(key->file->parent, TPM_SRK_AT);
    /* ReadPublic, Create; ReadPublic, Load, as for whoever reads the file */
    assert_int_equal(tpm_commands() - before, 4);
    assert_true(signs(key));
    hwk_tpm_key_free(tpm, key);
    before = tpm_commands();
    key = make_at("tpm2:handle=0x81020070", &spec);
    /* is it free, ReadPublic, Create, Load, EvictControl, FlushContext */
    assert_int_equal(tpm_commands() - before, 6);
    hwk_tpm_key_free(tpm, key);
    assert_true(hwk_tpm_erase(tpm, KEY_AT));
    assert_true(hwk_tpm_erase(tpm, TPM_SRK_AT));
    assert_int_equal(tpm_left_behind(), 0);
}

/* what is not kept, and goes with the TPM's next start */
static void passing(void **arg)
{
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    spec.session = true;
    assert_null(make_at("tpm2:handle=0x81020070", &spec));
    assert_int_equal(tpm_reason(), HWK_R_PARAM);
    struct hwk_tpm_key *key = make_at("tpm2:", &spec);
    assert_non_null(key);
    assert_int_equal(key->file->parent, TPM2_RH_NULL);
    assert_true(signs(key));
    assert_int_equal(tpm_cycle(), 0);
    struct hwk_tpm_key *twin = again(key, NULL);
    assert_true(!twin || !signs(twin));
    assert_int_not_equal(tpm_reason(), 0);
    hwk_tpm_key_free(tpm, twin);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_left_behind(), 0);
}

/* --- auth values --- */

static void owner_auth(const char *old, const char *new)
{
    TPM2B_AUTH a = {.size = (UINT16)strlen(old)},
               b = {.size = (UINT16)strlen(new)};
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    memcpy(a.buffer, old, a.size);
    memcpy(b.buffer, new, b.size);
    assert_non_null(esys);
    assert_int_equal(Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, &a), 0);
    assert_int_equal(Esys_HierarchyChangeAuth(esys, ESYS_TR_RH_OWNER,
                                              ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &b),
                     0);
    a.size = 0;
    assert_int_equal(Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, &a), 0);
    hwk_tpm_end(tpm);
}

static void hierarchies(void **arg)
{
    struct hwk_secret *owner = secret("owner's");
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    owner_auth("", "owner's");
    spec.tpm.hierarchy_auth = owner;
    made_signs("tpm2:handle=0x81020070", &spec);
    assert_null(make_at("tpm2:handle=0x81020070", &spec));
    assert_int_equal(tpm_reason(), HWK_R_EXISTS);
    spec.tpm.hierarchy_auth = NULL;
    spec.tpm.parent_auth = owner;
    made_signs("tpm2:handle=0x81020072;parent=owner", &spec);
    owner_auth("owner's", "");
    assert_true(hwk_tpm_erase(tpm, KEY_AT));
    assert_true(hwk_tpm_erase(tpm, 0x81020072));
    hwk_secret_free(owner);
}

/* a storage key with a value of its own is the parent of KEY_AT's successor */
static void parent_auth(void **arg)
{
    struct hwk_secret *value = secret("parent's");
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    TPM2B_SENSITIVE_CREATE s = {.sensitive.userAuth.size = (UINT16)value->n};
    TPM2B_PUBLIC t;
    ESYS_TR tr, kept;
    (void)arg;
    need_tpm();
    memcpy(s.sensitive.userAuth.buffer, value->p, value->n);
    hwk_tpm_template_default(true, &t);
    assert_non_null(hwk_tpm_begin(tpm));
    assert_true(
        hwk_tpm_create_primary(tpm, TPM2_RH_OWNER, NULL, &s, &t, &tr, NULL));
    assert_int_equal(Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, PARENT_AT, &kept),
                     0);
    hwk_tpm_flush(tpm, &tr);
    Esys_TR_Close(tpm->esys, &kept);
    hwk_tpm_end(tpm);
    spec.tpm.parent_auth = value;
    made_signs("tpm2:parent=0x81020071", &spec);
    assert_true(hwk_tpm_erase(tpm, PARENT_AT));
    hwk_secret_free(value);
}

/* as long as the digest that names it, and no longer */
static void long_auth(void **arg)
{
    struct hwk_secret *pin = secret("123456789012345678901234567890123");
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    spec.tpm.auth = pin;
    assert_null(make_at("tpm2:", &spec));
    assert_int_equal(tpm_reason(), HWK_R_ARGUMENT);
    spec.tpm.name = HWK_MD_SHA384;
    made_signs("tpm2:", &spec);
    hwk_secret_free(pin);
}

/* --- policies --- */

static void policies(void **arg)
{
    static const char auth_value[] = /* of PolicyAuthValue alone, SHA-256 */
        "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e";
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    spec.tpm.policy = auth_value;
    struct hwk_tpm_key *key = make_at("tpm2:", &spec);
    assert_non_null(key);
    assert_int_equal(key->file->policy.n, 0);
    TPM2B_DIGEST digest = key->file->pub.publicArea.authPolicy;
    hwk_tpm_key_free(tpm, key);
    spec.tpm.policy = "auth";
    key = make_at("tpm2:", &spec);
    assert_non_null(key);
    assert_int_equal(digest.size, 32);
    assert_memory_equal(&digest, &key->file->pub.publicArea.authPolicy,
                        sizeof(UINT16) + 32);
    assert_int_equal(key->file->policy.n, 1);
    assert_int_equal(key->file->alternatives_n, 0);
    hwk_tpm_key_free(tpm, key);
    spec.tpm.policy = "auth | code(sign) & pcr(sha256:3)";
    key = make_at("tpm2:", &spec);
    assert_non_null(key);
    assert_int_equal(key->file->alternatives_n, 1);
    hwk_tpm_key_free(tpm, key);
    spec.tpm.policy = "0123";
    assert_null(make_at("tpm2:", &spec));
    assert_int_equal(tpm_reason(), HWK_R_PARAM);
    spec.tpm.policy = "nonsense(1)";
    assert_null(make_at("tpm2:", &spec));
    assert_int_equal(tpm_reason(), HWK_R_FORMAT);
    assert_int_equal(tpm_left_behind(), 0);
}

/* --- brought in --- */

/* an RSA key is made once: that takes long, under valgrind above all */
static EVP_PKEY *rsa_of(const struct hwk_spec *spec)
{
    static EVP_PKEY *rsa;
    if (!rsa)
        rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)spec->bits);
    return rsa && EVP_PKEY_up_ref(rsa) ? rsa : NULL;
}

static struct hwk_private *software(const struct hwk_spec *spec)
{
    EVP_PKEY *key =
        spec->type == HWK_KEY_RSA
            ? rsa_of(spec)
            : EVP_PKEY_Q_keygen(NULL, NULL, "EC", spec->curve->nist);
    const struct hwk_pub kind = {.type = spec->type};
    OSSL_PARAM *params = NULL;
    assert_non_null(key);
    assert_true(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params));
    struct hwk_private *priv = hwk_private_from_params(NULL, &kind, params);
    assert_non_null(priv);
    OSSL_PARAM_free(params);
    EVP_PKEY_free(key);
    return priv;
}

static void import_at(const char *text, struct hwk_spec *spec)
{
    struct hwk_private *priv = software(spec);
    struct hwk_pub pub;
    spec->from = priv;
    struct hwk_tpm_key *key = make_at(text, spec);
    spec->from = NULL;
    assert_non_null(key);
    assert_true(hwk_tpm_public(&key->object->pub, &pub));
    assert_true(hwk_pub_eq(&pub, &priv->pub));
    assert_int_equal(key->object->pub.publicArea.objectAttributes &
                         (BOUND | TPMA_OBJECT_SENSITIVEDATAORIGIN),
                     0);
    assert_true(signs(key));
    hwk_tpm_key_free(tpm, key);
    hwk_private_free(priv);
    assert_int_equal(tpm_left_behind(), 0);
}

/* a value that ends with zeros is compared without them */
static void imported(void **arg)
{
    struct hwk_secret *pin = hwk_secret_new("pin\0\0", 5);
    struct hwk_spec ec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_spec rsa = tpm_rsa(2048, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    ec.tpm.auth = pin;
    for (unsigned round = 0; round < 3; round++)
        import_at("tpm2:", &ec);
    ec.curve = hwk_curve_by_bits(384);
    ec.tpm.rsa_parent = true;
    ec.tpm.lockout = true;
    import_at("tpm2:", &ec);
    import_at("tpm2:", &rsa);
    rsa.tpm.rsa_parent = true;
    import_at("tpm2:handle=0x81020070", &rsa);
    assert_true(hwk_tpm_erase(tpm, KEY_AT));
    hwk_secret_free(pin);
}

/* a parent of a larger kind: other hash, other cipher, other curve */
static void large_parent(void **arg)
{
    const struct hwk_tpm_kind p384 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P384, 0};
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    TPM2B_PUBLIC t;
    ESYS_TR tr, kept;
    (void)arg;
    need_tpm();
    hwk_tpm_template_plain(&p384, &t);
    t.publicArea.nameAlg = TPM2_ALG_SHA384;
    t.publicArea.objectAttributes =
        BOUND | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
        TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
    t.publicArea.parameters.eccDetail.symmetric =
        (TPMT_SYM_DEF_OBJECT){.algorithm = TPM2_ALG_AES,
                              .keyBits.aes = 256,
                              .mode.aes = TPM2_ALG_CFB};
    assert_non_null(hwk_tpm_begin(tpm));
    assert_true(
        hwk_tpm_create_primary(tpm, TPM2_RH_OWNER, NULL, NULL, &t, &tr, NULL));
    assert_int_equal(Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, PARENT_AT, &kept),
                     0);
    hwk_tpm_flush(tpm, &tr);
    Esys_TR_Close(tpm->esys, &kept);
    hwk_tpm_end(tpm);
    import_at("tpm2:parent=0x81020071", &spec);
    assert_true(hwk_tpm_erase(tpm, PARENT_AT));
}

/* under the pinned parent, and no other one in its place */
static void pinned(void **arg)
{
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_private *priv = software(&spec);
    struct hwk_salt_key *pin = &tpm_cfg.salt_key;
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    (void)arg;
    need_tpm();
    tpm_srk();
    assert_non_null(hwk_tpm_begin(tpm));
    assert_true(hwk_tpm_ask_public(tpm, TPM_SRK_AT, &pub, &name));
    hwk_tpm_end(tpm);
    *pin = (struct hwk_salt_key){.handle = TPM_SRK_AT, .name_n = name.size};
    memcpy(pin->name, name.name, name.size);
    spec.from = priv;
    made_signs("tpm2:", &spec);
    pin->name[5] ^= 1;
    assert_null(make_at("tpm2:", &spec));
    assert_int_equal(tpm_reason(), HWK_R_BUS);
    assert_int_equal(tpm_left_behind(), 0);
    memset(pin, 0, sizeof(*pin));
    assert_true(hwk_tpm_erase(tpm, TPM_SRK_AT));
    hwk_private_free(priv);
}

/* an answer that is not of what was asked */
static void other_answers(void **arg)
{
    struct hwk_spec spec = tpm_rsa(2048, HWK_USAGE_SIGN);
    TPM2B_PUBLIC asked_for, made;
    (void)arg;
    assert_true(hwk_tpm_spec_public(&spec, &asked_for));
    made = asked_for;
    made.publicArea.unique.rsa.size = 256;
    made.publicArea.parameters.rsaDetail.exponent = 65537;
    assert_true(hwk_tpm_spec_made(&asked_for, &made));
    made.publicArea.objectAttributes &= ~TPMA_OBJECT_FIXEDTPM;
    assert_false(hwk_tpm_spec_made(&asked_for, &made));
    made = asked_for;
    made.publicArea.parameters.rsaDetail.exponent = 3;
    assert_false(hwk_tpm_spec_made(&asked_for, &made));
    made = asked_for;
    made.publicArea.authPolicy.size = 32;
    assert_false(hwk_tpm_spec_made(&asked_for, &made));
}

static const void *find(const void *in, size_t n, const void *what, size_t m)
{
    for (size_t i = 0; i + m <= n; i++)
        if (memcmp((const uint8_t *)in + i, what, m) == 0)
            return (const uint8_t *)in + i;
    return NULL;
}

/* what goes over the bus shows neither the key nor its value, and is another
 * each time */
static void hidden(void **arg)
{
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_secret *pin = secret("a rather long value");
    struct hwk_private *priv = software(&spec), *parent = software(&spec);
    struct hwk_tpm_wrapped a, b;
    TPM2B_PUBLIC pub, srk;
    (void)arg;
    spec.from = priv;
    assert_true(hwk_tpm_spec_public(&spec, &pub));
    hwk_tpm_template_default(false, &srk);
    srk.publicArea.unique.ecc.x.size = srk.publicArea.unique.ecc.y.size = 32;
    memcpy(srk.publicArea.unique.ecc.x.buffer, parent->pub.point + 1, 32);
    memcpy(srk.publicArea.unique.ecc.y.buffer, parent->pub.point + 33, 32);
    memset(&a, 0, sizeof(a));
    assert_true(hwk_tpm_wrap(NULL, &srk, &pub, priv, pin, &a));
    assert_true(hwk_tpm_wrap(NULL, &srk, &pub, priv, pin, &b));
    assert_null(find(&a, sizeof(a), priv->d, priv->d_len));
    assert_null(find(&a, sizeof(a), pin->p, pin->n));
    assert_memory_not_equal(a.duplicate.buffer, b.duplicate.buffer, 34);
    assert_memory_not_equal(a.seed.secret, b.seed.secret, a.seed.size);
    srk.publicArea.nameAlg = TPM2_ALG_SHA1;
    assert_false(hwk_tpm_wrap(NULL, &srk, &pub, priv, pin, &b));
    assert_int_equal(tpm_reason(), HWK_R_UNSUPPORTED);
    hwk_private_free(priv);
    hwk_private_free(parent);
    hwk_secret_free(pin);
}

/* --- each command fails once --- */

struct cut {
    int countdown;
    bool after, happened;
};

static TSS2_RC cut(void *arg, bool sent, TPM2_CC command)
{
    struct cut *c = arg;
    (void)command;
    if (sent != c->after || c->happened || --c->countdown > 0)
        return TSS2_RC_SUCCESS;
    c->happened = true;
    return TSS2_TCTI_RC_IO_ERROR;
}

static int cut_everywhere(const char *text, const struct hwk_spec *spec,
                          TPM2_HANDLE at, bool after)
{
    for (int nth = 1;; nth++) {
        struct cut c = {nth, after, false};
        hwk_tpm_set_fault(cut, &c);
        struct hwk_tpm_key *key = make_at(text, spec);
        hwk_tpm_set_fault(NULL, NULL);
        bool made = key;
        ERR_clear_error();
        hwk_tpm_key_free(tpm, key);
        assert_int_equal(tpm_left_behind(), 0);
        assert_true(made || c.happened);
        key = at && made ? NULL : make_at(text, spec);
        if (!key && !made) /* done already, only the last answer was lost */
            assert_int_equal(tpm_reason(), HWK_R_EXISTS);
        hwk_tpm_key_free(tpm, key);
        assert_int_equal(tpm_left_behind(), 0);
        if (at)
            assert_true(hwk_tpm_erase(tpm, at));
        if (!c.happened)
            return nth - 1;
    }
}

static void cuts(void **arg)
{
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN), in = spec;
    struct hwk_private *priv = software(&spec);
    (void)arg;
    need_tpm();
    in.from = priv;
    for (int after = 0; after < 2; after++) {
        assert_true(cut_everywhere("tpm2:parent=owner", &spec, 0, after) >= 4);
        assert_true(cut_everywhere("tpm2:parent=null", &in, 0, after) >= 4);
        assert_true(cut_everywhere("tpm2:handle=0x81020070;parent=owner", &in,
                                   KEY_AT, after) >= 5);
    }
    hwk_private_free(priv);
}

/* a kind that the TPM does not make is named */
static void not_made(void **arg)
{
    struct hwk_spec spec = tpm_rsa(2048, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    spec.exponent = 3;
    struct hwk_tpm_key *key = make_at("tpm2:", &spec);
    if (!key)
        assert_int_equal(tpm_reason(), HWK_R_UNSUPPORTED);
    hwk_tpm_key_free(tpm, key);
    assert_null(make_at("tpm2:handle=0x01800001", &spec));
    assert_int_equal(tpm_reason(), HWK_R_BAD_URI);
    assert_null(make_at("tpm2:handle=0x81020070;parent=null", &spec));
    assert_int_equal(tpm_reason(), HWK_R_UNSUPPORTED);
    assert_int_equal(tpm_left_behind(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs),         cmocka_unit_test(contradicting),
        cmocka_unit_test(hidden),        cmocka_unit_test(files),
        cmocka_unit_test(parents),       cmocka_unit_test(hierarchies),
        cmocka_unit_test(parent_auth),   cmocka_unit_test(long_auth),
        cmocka_unit_test(policies),      cmocka_unit_test(imported),
        cmocka_unit_test(large_parent),  cmocka_unit_test(pinned),
        cmocka_unit_test(other_answers), cmocka_unit_test(not_made),
        cmocka_unit_test(cuts),          cmocka_unit_test(passing),
    };
    return cmocka_run_group_tests(tests, tpm_setup, tpm_teardown);
}
