/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody on the bus: listens, alters every byte, puts its own key there. */
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <tss2/tss2_mu.h>

#include "bus_use.h"
#include "provider/device/tpm2_object.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_template.h"

#define EC_AT 0x81020201
#define RSA_AT 0x81020202
#define DH_AT 0x81020203
#define NEW_AT 0x81020204
#define PIN "open sesame, quickly"
#define QUERY "?pin-value=open%20sesame%2C%20quickly"
#define SRK_AT 0x81000001
#define EK_AT 0x81010001

static struct hwk_pub ec_pub, rsa_pub, dh_pub;

/* --- what is in the TPM: a storage root key and three keys with a PIN --- */

static void keep_primary(TPM2_HANDLE hierarchy, const TPM2B_PUBLIC *template,
                         TPM2_HANDLE at)
{
    ESYS_TR tr, kept, session;
    assert_non_null(hwk_tpm_begin(tpm));
    struct hwk_tpm_object *o =
        hwk_tpm_object_primary(tpm, hierarchy, NULL, template);
    assert_non_null(o);
    assert_true(hwk_tpm_object_tr(tpm, o, &tr));
    assert_true(hwk_tpm_authorize(tpm, ESYS_TR_RH_OWNER, NULL,
                                  HWK_TPM_NO_SECRET, &session));
    assert_int_equal(Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, tr, session,
                                       ESYS_TR_NONE, ESYS_TR_NONE, at, &kept),
                     0);
    assert_false(hwk_tpm_again(tpm, 0));
    Esys_TR_Close(tpm->esys, &kept);
    hwk_tpm_object_close(tpm, o);
    hwk_tpm_end(tpm);
}

/* the endorsement key of the TCG's profile, RSA 2048: its policy is
 * PolicySecret of the endorsement hierarchy */
static void ek_template(TPM2B_PUBLIC *out)
{
    static const uint8_t policy[] = {
        0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
        0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
        0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};
    hwk_tpm_template_default(true, out);
    out->publicArea.objectAttributes =
        TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
        TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_ADMINWITHPOLICY |
        TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;
    out->publicArea.authPolicy.size = sizeof(policy);
    memcpy(out->publicArea.authPolicy.buffer, policy, sizeof(policy));
    out->publicArea.unique.rsa.size = 256;
}

static void keep_key(TPM2_HANDLE at, const struct hwk_spec *spec,
                     struct hwk_pub *pub)
{
    struct hwk_tpm_key *key = tpm_make(at, spec, PIN);
    assert_non_null(key);
    assert_true(hwk_tpm_public(&key->object->pub, pub));
    hwk_tpm_key_free(tpm, key);
}

static int setup(void **arg)
{
    const struct hwk_spec ec = tpm_ec(256, HWK_USAGE_SIGN);
    const struct hwk_spec dh = tpm_ec(256, HWK_USAGE_DERIVE);
    const struct hwk_spec rsa = tpm_rsa(2048, HWK_USAGE_DECRYPT);
    TPM2B_PUBLIC template;
    if (tpm_setup(arg))
        return -1;
    if (!tpm)
        return 0;
    hwk_tpm_template_default(false, &template);
    keep_primary(TPM2_RH_OWNER, &template, SRK_AT);
    ek_template(&template);
    keep_primary(TPM2_RH_ENDORSEMENT, &template, EK_AT);
    keep_key(EC_AT, &ec, &ec_pub);
    keep_key(RSA_AT, &rsa, &rsa_pub);
    keep_key(DH_AT, &dh, &dh_pub);
    return 0;
}

/* --- a program that uses them through the bus --- */

static void end(struct program *p)
{
    stop(p);
    assert_int_equal(tpm_left_behind(), 0);
}

static struct hwk_tpm_key *open_key(struct program *p, TPM2_HANDLE at)
{
    char uri[96];
    struct hwk_found f;
    snprintf(uri, sizeof(uri), "tpm2:handle=0x%08x%s", at, QUERY);
    assert_true(tpm_find_in(p->tpm, uri, HWK_WANT_PRIVATE, &f));
    assert_non_null(f.ref);
    return f.ref;
}

/* what a use of a key came to */
struct outcome {
    int ok;
    uint8_t out[256];
    size_t n;
};

static const uint8_t digest[32] = "a digest of thirty-two bytes ...";

static void sign(struct program *p, struct outcome *o)
{
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    struct hwk_tpm_key *key = open_key(p, EC_AT);
    o->n = sizeof(o->out);
    o->ok = hwk_tpm_sign(p->tpm, key, &mech, digest, 32, o->out, &o->n);
    hwk_tpm_key_free(p->tpm, key);
}

static const char plaintext[] = "nobody on the bus has seen this";

static void encrypt(uint8_t *out, size_t *n)
{
    EVP_PKEY *key = tpm_evp(&rsa_pub);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_non_null(ctx);
    assert_true(EVP_PKEY_encrypt_init(ctx) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0);
    assert_true(EVP_PKEY_encrypt(ctx, out, n, (const uint8_t *)plaintext,
                                 sizeof(plaintext)) > 0);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
}

static void decrypt(struct program *p, struct outcome *o)
{
    static uint8_t cipher[256];
    static size_t n;
    const struct hwk_mech mech = {.type = HWK_KEY_RSA,
                                  .pad = HWK_PAD_OAEP,
                                  .md = HWK_MD_SHA256,
                                  .mgf1 = HWK_MD_SHA256};
    struct hwk_tpm_key *key = open_key(p, RSA_AT);
    if (n == 0) {
        n = sizeof(cipher);
        encrypt(cipher, &n);
    }
    o->n = sizeof(o->out);
    o->ok = hwk_tpm_decrypt(p->tpm, key, &mech, cipher, n, o->out, &o->n);
    hwk_tpm_key_free(p->tpm, key);
}

/* the peer is the signing key: any point of the curve will do */
static void agree(struct program *p, struct outcome *o)
{
    struct hwk_tpm_key *key = open_key(p, DH_AT);
    o->n = sizeof(o->out);
    o->ok = hwk_tpm_derive(p->tpm, key, ec_pub.point, ec_pub.point_len, o->out,
                           &o->n);
    hwk_tpm_key_free(p->tpm, key);
}

static int make_new(struct program *p)
{
    const struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_uri uri = {
        .scheme = HWK_SCHEME_TPM2, .tpm = HWK_TPM_HANDLE, .handle = NEW_AT};
    struct hwk_secret *auth = hwk_secret_new(PIN, strlen(PIN));
    struct hwk_tpm_key *key = hwk_tpm_make(p->tpm, &uri, &spec, auth);
    hwk_secret_free(auth);
    if (!key)
        return 0;
    hwk_tpm_key_free(p->tpm, key);
    return hwk_tpm_erase(p->tpm, NEW_AT);
}

static void good_signature(const struct outcome *o)
{
    struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    assert_true(o->ok);
    assert_true(tpm_verify(&ec_pub, &mech, digest, 32, o->out, o->n));
}

static void good_plaintext(const struct outcome *o)
{
    assert_true(o->ok);
    assert_int_equal(o->n, sizeof(plaintext));
    assert_memory_equal(o->out, plaintext, sizeof(plaintext));
}

/* --- who only listens --- */

/* what was heard, of each secret */
static void listen_to_all(enum hwk_protect protect, bool expected)
{
    struct program p;
    struct outcome secret;
    begin(&p, NULL);
    p.cfg.tpm_sessions = protect;
    sign(&p, &secret);
    good_signature(&secret);
    assert_int_equal(bus_heard(&p.bus, PIN, strlen(PIN)), expected);
    decrypt(&p, &secret);
    good_plaintext(&secret);
    assert_int_equal(bus_heard(&p.bus, plaintext, sizeof(plaintext)), expected);
    agree(&p, &secret);
    assert_true(secret.ok);
    assert_int_equal(bus_heard(&p.bus, secret.out, secret.n), expected);
    assert_true(hwk_tpm_random(p.tpm, secret.out, 32));
    assert_int_equal(bus_heard(&p.bus, secret.out, 32), expected);
    p.bus.talk->heard_n = 0;
    assert_true(make_new(&p));
    assert_int_equal(bus_heard(&p.bus, PIN, strlen(PIN)), expected);
    end(&p);
}

static void listening(void **arg)
{
    (void)arg;
    need_tpm();
    listen_to_all(HWK_PROTECT_AUTO, false);
    listen_to_all(HWK_PROTECT_ALWAYS, false);
    listen_to_all(HWK_PROTECT_NEVER, true);
}

/* --- who alters --- */

static bool says(const char *what)
{
    const char *data = "";
    ERR_peek_last_error_all(NULL, NULL, NULL, &data, NULL);
    return strstr(data, what) != NULL;
}

/* is it said what happened? What a TPM says to a header or a handle that makes
 * no sense is its own; an answer said to be shorter or longer breaks the line
 */
static bool named(bool answer, size_t at)
{
    if (answer && at >= 2 && at < 6)
        return hwk_err_is(HWK_R_BUS) || hwk_err_is(HWK_R_NO_DEVICE);
    if (answer)
        return hwk_err_is(HWK_R_BUS) && says("altered on its way");
    return at < 32 || says("altered on its way");
}

typedef void use_fn(struct program *p, struct outcome *o);
typedef void good_fn(const struct outcome *o);

/* each byte of one message, or one in so many */
static void alter_each(struct program *p, use_fn *use, good_fn *good,
                       TPM2_CC code, bool answer, size_t step)
{
    struct bus_talk *talk = p->bus.talk;
    struct outcome o;
    talk->code = code;
    talk->answer = answer;
    talk->flip = 0;
    anew(p);
    use(p, &o);
    good(&o);
    size_t n = talk->last;
    assert_true(n > 40);
    for (size_t at = 0; at < n; at += at < 32 ? 1 : step) {
        talk->at = at;
        talk->flip = (uint8_t)(1u << (at % 8));
        talk->struck = 0;
        anew(p);
        use(p, &o);
        assert_true(talk->struck > 0);
        if (o.ok || !named(answer, at))
            fail_msg("%s, byte %zu of %zu by 0x%02x: %s: %s",
                     answer ? "answer" : "command", at, n, talk->flip,
                     o.ok ? "accepted" : "not named",
                     ERR_reason_error_string(ERR_peek_last_error()));
    }
    talk->flip = 0;
    anew(p);
    use(p, &o);
    good(&o);
}

static void altering_signatures(void **arg)
{
    struct program p;
    (void)arg;
    need_tpm();
    begin(&p, bus_alter_byte);
    alter_each(&p, sign, good_signature, TPM2_CC_Sign, true, 3);
    alter_each(&p, sign, good_signature, TPM2_CC_Sign, false, 3);
    end(&p);
}

static void altering_plaintexts(void **arg)
{
    struct program p;
    (void)arg;
    need_tpm();
    begin(&p, bus_alter_byte);
    alter_each(&p, decrypt, good_plaintext, TPM2_CC_RSA_Decrypt, true, 5);
    alter_each(&p, decrypt, good_plaintext, TPM2_CC_RSA_Decrypt, false, 23);
    end(&p);
}

/* an answer whose sessions were taken away is not one to a command with */
static void stripping(void **arg)
{
    struct program p;
    struct outcome o;
    (void)arg;
    need_tpm();
    begin(&p, bus_strip);
    p.bus.talk->code = TPM2_CC_Sign;
    sign(&p, &o);
    assert_true(p.bus.talk->struck > 0);
    assert_false(o.ok);
    assert_true(says("altered on its way"));
    assert_int_equal(tpm_reason(), HWK_R_BUS);
    p.bus.talk->code = 0;
    anew(&p);
    sign(&p, &o);
    good_signature(&o);
    end(&p);
}

/* --- whose key the salt is encrypted to --- */

static unsigned long long sessions(void)
{
    return atomic_load(&hwk_counters.tpm_sessions);
}

static void pin(struct program *p, TPM2_HANDLE at, const TPM2B_NAME *name)
{
    p->cfg.salt_key.handle = at;
    p->cfg.salt_key.name_n = name->size;
    memcpy(p->cfg.salt_key.name, name->name, name->size);
}

static TPM2B_NAME look(TPM2_HANDLE at, TPM2B_PUBLIC *pub)
{
    TPM2B_NAME name, own;
    assert_non_null(hwk_tpm_begin(tpm));
    assert_true(hwk_tpm_ask_public(tpm, at, pub, &name));
    hwk_tpm_end(tpm);
    assert_true(hwk_tpm_name(pub, &own));
    assert_int_equal(own.size, name.size);
    assert_memory_equal(own.name, name.name, name.size);
    return name;
}

/* an answer to ReadPublic of the storage root key with another point */
static void own_key(struct bus_talk *talk)
{
    uint8_t *p = talk->instead;
    TPM2B_PUBLIC pub, other;
    size_t n = 10, size = 2;
    look(SRK_AT, &pub);
    look(DH_AT, &other);
    pub.size = 0;
    pub.publicArea.unique.ecc = other.publicArea.unique.ecc;
    TPM2B_NAME name;
    assert_true(hwk_tpm_name(&pub, &name));
    memcpy(p, (uint8_t[10]){0x80, 0x01}, 10);
    assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(&pub, p, BUS_MESSAGE_MAX, &n),
                     0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            Tss2_MU_TPM2B_NAME_Marshal(&name, p, BUS_MESSAGE_MAX, &n), 0);
    assert_int_equal(
        Tss2_MU_UINT32_Marshal((UINT32)n, p, BUS_MESSAGE_MAX, &size), 0);
    talk->instead_n = n;
    talk->code = TPM2_CC_ReadPublic;
    talk->handle = SRK_AT;
}

static void another_key(void **arg)
{
    struct program p;
    struct outcome o;
    TPM2B_PUBLIC pub;
    (void)arg;
    need_tpm();
    TPM2B_NAME srk = look(SRK_AT, &pub);
    begin(&p, bus_replace);
    own_key(p.bus.talk);
    pin(&p, SRK_AT, &srk);
    unsigned long long before = sessions();
    sign(&p, &o);
    assert_true(p.bus.talk->struck > 0);
    assert_false(o.ok);
    assert_true(says("not the expected one"));
    assert_int_equal(tpm_reason(), HWK_R_BUS);
    assert_int_equal(sessions(), before); /* no salt was sent */
    /* what is not pinned is not known: the salt goes to whoever asks for it */
    p.cfg.salt_key.handle = 0;
    anew(&p);
    sign(&p, &o);
    assert_false(o.ok);
    assert_true(sessions() > before);
    end(&p);
}

/* the name of one key, the public area of another */
static void another_name(void **arg)
{
    struct program p;
    struct outcome o;
    TPM2B_PUBLIC pub;
    TPM2B_NAME srk;
    (void)arg;
    need_tpm();
    begin(&p, bus_replace);
    own_key(p.bus.talk);
    srk = look(SRK_AT, &pub);
    memcpy(p.bus.talk->instead + p.bus.talk->instead_n - 2 * (2 + srk.size) + 2,
           srk.name, srk.size);
    unsigned long long before = sessions();
    for (int pinned = 0; pinned < 2; pinned++) {
        if (pinned)
            pin(&p, SRK_AT, &srk);
        anew(&p);
        sign(&p, &o);
        assert_false(o.ok);
        assert_int_equal(tpm_reason(), HWK_R_BUS);
        assert_int_equal(sessions(), before);
    }
    end(&p);
}

static void pinned_keys(void **arg)
{
    static const TPM2_HANDLE at[] = {SRK_AT, EK_AT, TPM2_RH_OWNER};
    struct program p;
    struct outcome o;
    TPM2B_PUBLIC pub;
    (void)arg;
    need_tpm();
    begin(&p, NULL);
    for (size_t i = 0; i < 3; i++) {
        TPM2B_NAME name = look(at[i] == EK_AT ? EK_AT : SRK_AT, &pub);
        pin(&p, at[i], &name);
        p.bus.talk->heard_n = 0;
        anew(&p);
        decrypt(&p, &o);
        good_plaintext(&o);
        assert_false(bus_heard(&p.bus, plaintext, sizeof(plaintext)));
        p.cfg.salt_key.name[20] ^= 1;
        anew(&p);
        decrypt(&p, &o);
        assert_false(o.ok);
        assert_int_equal(tpm_reason(), HWK_R_BUS);
    }
    p.cfg.salt_key.handle = 0x81000077;
    anew(&p);
    sign(&p, &o);
    assert_true(says("0x81000077, which salt-key names"));
    assert_int_equal(tpm_reason(), HWK_R_NOT_FOUND);
    end(&p);
}

/* --- a key that is brought in --- */

static struct hwk_private *software(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    const struct hwk_pub kind = {.type = HWK_KEY_EC};
    OSSL_PARAM *params = NULL;
    assert_non_null(key);
    assert_true(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params));
    struct hwk_private *priv = hwk_private_from_params(NULL, &kind, params);
    assert_non_null(priv);
    OSSL_PARAM_free(params);
    EVP_PKEY_free(key);
    return priv;
}

/* only what is asked for without a session */
static void replace_plain(struct bus_talk *talk, bool answer, uint32_t code,
                          uint8_t *p, size_t *n)
{
    if (p[1] == 1)
        bus_replace(talk, answer, code, p, n);
}

static int bring(struct program *p)
{
    static const uint8_t import[] = {0, 0, 0x01, 0x56};
    struct hwk_spec spec = tpm_ec(256, HWK_USAGE_SIGN);
    struct hwk_private *priv = software();
    struct hwk_uri uri;
    spec.from = priv;
    anew(p);
    p->bus.talk->heard_n = 0;
    assert_true(hwk_uri_parse("tpm2:parent=0x81000001", &uri));
    struct hwk_tpm_key *key = hwk_tpm_make(p->tpm, &uri, &spec, NULL);
    hwk_uri_clear(&uri);
    hwk_private_free(priv);
    if (key)
        hwk_tpm_key_free(p->tpm, key);
    return bus_heard(&p->bus, import, sizeof(import));
}

/* it is not encrypted for somebody on the bus who says that he is its parent */
static void another_parent(void **arg)
{
    bus_fn *const ways[] = {bus_replace, replace_plain};
    struct program p;
    TPM2B_PUBLIC pub;
    (void)arg;
    need_tpm();
    for (int i = 0; i < 2; i++) {
        begin(&p, ways[i]);
        TPM2B_NAME ek = look(EK_AT, &pub);
        pin(&p, EK_AT, &ek);
        assert_true(bring(&p));
        ERR_clear_error();
        own_key(p.bus.talk);
        assert_false(bring(&p));
        assert_true(p.bus.talk->struck > 0);
        assert_true(says("altered on its way"));
        assert_int_equal(tpm_reason(), HWK_R_BUS);
        p.cfg.tpm_sessions = HWK_PROTECT_NEVER;
        assert_true(bring(&p));
        end(&p);
    }
}

/* a PIN that is wrong is said to be, and tried once */
static void wrong_pin(void **arg)
{
    const struct hwk_mech mech = {.type = HWK_KEY_EC, .md = HWK_MD_SHA256};
    struct program p;
    struct hwk_found f;
    uint8_t sig[64];
    size_t n = sizeof(sig);
    (void)arg;
    need_tpm();
    begin(&p, NULL);
    assert_true(tpm_find_in(p.tpm, "tpm2:handle=0x81020201?pin-value=wrong",
                            HWK_WANT_PRIVATE, &f));
    assert_false(hwk_tpm_sign(p.tpm, f.ref, &mech, digest, 32, sig, &n));
    assert_true(says("is wrong, or the command was altered"));
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    unsigned long long before = tpm_commands();
    assert_false(hwk_tpm_sign(p.tpm, f.ref, &mech, digest, 32, sig, &n));
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(tpm_commands(), before);
    hwk_tpm_key_free(p.tpm, f.ref);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening),
        cmocka_unit_test(altering_signatures),
        cmocka_unit_test(altering_plaintexts),
        cmocka_unit_test(stripping),
        cmocka_unit_test(another_key),
        cmocka_unit_test(another_name),
        cmocka_unit_test(pinned_keys),
        cmocka_unit_test(another_parent),
        cmocka_unit_test(wrong_pin),
    };
    return cmocka_run_group_tests(tests, setup, tpm_teardown);
}
