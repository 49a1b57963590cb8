/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in key files of a TPM: opened, used, given back; and what is wrong. */
#include "provider/device/tpm2_blob.h"
#include "provider/device/tpm2_public.h"
#include "tpm_blob.h"

static const struct hwk_tpm_parent owner = {.handle = TPM2_RH_OWNER};
static const struct hwk_tpm_parent srk = {.handle = TPM_SRK_AT};
static struct tpm_blob under_owner, under_srk;

static int setup(void **arg)
{
    if (tpm_setup(arg) != 0)
        return -1;
    if (!tpm)
        return 0;
    tpm_srk();
    tpm_blob_make(&owner, &under_owner);
    tpm_blob_make(&srk, &under_srk);
    return 0;
}

/* --- files --- */

struct der {
    uint8_t *p;
    size_t n;
};

static struct hwk_tpm_keyfile file_of(const struct tpm_blob *b)
{
    return (struct hwk_tpm_keyfile){.type = HWK_TPM_FILE_LOADABLE,
                                    .empty_auth = true,
                                    .rsa_parent = b->parent.rsa,
                                    .parent = b->parent.handle,
                                    .pub = b->pub,
                                    .priv = b->priv};
}

static struct der der_of(const struct hwk_tpm_keyfile *file)
{
    struct der d;
    assert_true(hwk_tpm_keyfile_encode(file, &d.p, &d.n));
    return d;
}

/* --- who asks --- */

static const char *typed; /* what is typed at the prompt; NULL: nothing */
static char asked[128];
static int times;

static int prompt(void *arg, const char *what, char *out, size_t max, size_t *n)
{
    (void)arg;
    (void)max;
    times++;
    snprintf(asked, sizeof(asked), "%s", what);
    if (!typed)
        return 0;
    *n = strlen(typed);
    memcpy(out, typed, *n);
    return 1;
}

static int open_as(const struct hwk_tpm_keyfile *file, struct hwk_config *cfg,
                   const struct hwk_uri *uri, unsigned want,
                   struct hwk_found *out)
{
    const struct hwk_pin_source source = {prompt, NULL};
    const struct hwk_pin_ask ask = {cfg, uri, &source};
    struct der d = der_of(file);
    memset(out, 0, sizeof(*out));
    times = 0;
    int rc = hwk_tpm_find_blob(tpm, d.p, d.n, "", want, &ask, tpm_keep, out);
    OPENSSL_free(d.p);
    return rc;
}

static struct hwk_tpm_key *opened(const struct hwk_tpm_keyfile *file)
{
    struct hwk_found found;
    assert_int_equal(open_as(file, &tpm_cfg, NULL, HWK_WANT_PRIVATE, &found),
                     0);
    assert_int_equal(found.type, HWK_OBJ_PRIVATE);
    assert_non_null(found.ref);
    return found.ref;
}

static void refused(const struct hwk_tpm_keyfile *file, int reason,
                    const char *says)
{
    const char *text = "";
    struct hwk_found found;
    ERR_clear_error();
    assert_int_equal(open_as(file, &tpm_cfg, NULL, HWK_WANT_PRIVATE, &found),
                     -1);
    assert_null(found.ref);
    ERR_peek_last_error_all(NULL, NULL, NULL, &text, NULL);
    if (!strstr(text, says))
        fail_msg("'%s' does not say '%s'", text, says);
    assert_int_equal(tpm_reason(), reason);
    assert_int_equal(tpm_left_behind(), 0);
}

/* --- tests --- */

static void costs(void **arg)
{
    const struct hwk_tpm_keyfile file = file_of(&under_srk);
    unsigned long long before;
    (void)arg;
    need_tpm();
    before = tpm_commands();
    struct hwk_tpm_key *key = opened(&file);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(tpm_commands() - before, 3);
    key = opened(&file);
    assert_true(tpm_signs(tpm, key));
    before = tpm_commands();
    assert_true(tpm_signs(tpm, key));
    assert_int_equal(tpm_commands() - before, 1);
    hwk_tpm_key_free(tpm, key);
    assert_int_equal(times, 0); /* nobody was asked anything */
    assert_int_equal(tpm_left_behind(), 0);
}

static void public_halves_need_no_tpm(void **arg)
{
    const struct hwk_tpm_keyfile file = file_of(&under_owner);
    unsigned long long before;
    struct hwk_found found;
    struct hwk_pub pub;
    (void)arg;
    need_tpm();
    before = tpm_commands();
    assert_int_equal(open_as(&file, NULL, NULL, HWK_WANT_PUBLIC, &found), 0);
    assert_int_equal(found.type, HWK_OBJ_PUBLIC);
    assert_null(found.ref);
    assert_true(hwk_tpm_public(&under_owner.pub, &pub));
    assert_true(hwk_pub_eq(&pub, &found.pub));
    assert_int_equal(
        open_as(&file, NULL, NULL, HWK_WANT_ANY | HWK_WANT_NAMES, &found), 0);
    assert_int_equal(found.type, HWK_OBJ_PRIVATE);
    assert_null(found.ref);
    assert_int_equal(tpm_commands() - before, 0);
}

static void hierarchies(void **arg)
{
    static const TPM2_HANDLE all[] = {TPM2_RH_OWNER, TPM2_RH_ENDORSEMENT,
                                      TPM2_RH_NULL, TPM2_RH_PLATFORM};
    (void)arg;
    need_tpm();
    for (size_t i = 0; i < 2 * sizeof(all) / sizeof(*all); i++) {
        const struct hwk_tpm_parent parent = {.handle = all[i / 2],
                                              .rsa = i % 2 == 1};
        struct tpm_blob b;
        tpm_blob_make(&parent, &b);
        const struct hwk_tpm_keyfile file = file_of(&b);
        struct hwk_tpm_key *key = opened(&file);
        assert_true(tpm_signs(tpm, key));
        hwk_tpm_key_free(tpm, key);
        assert_int_equal(tpm_left_behind(), 0);
    }
}

/* all that a file says comes back, rules that nobody reads here included */
static void written_again(void **arg)
{
    uint8_t params[] = {1, 2, 3};
    struct hwk_tpm_step step = {TPM2_CC_PolicyPCR, params, sizeof(params)};
    char name[] = "spring", description[] = "front door";
    struct hwk_tpm_rule alternative = {name, &step, 1};
    struct hwk_tpm_keyfile file;
    uint8_t *p = NULL;
    size_t n = 0;
    (void)arg;
    need_tpm();
    file = file_of(&under_srk);
    file.policy = (struct hwk_tpm_rule){NULL, &step, 1};
    file.alternatives = &alternative;
    file.alternatives_n = 1;
    file.description = description;
    struct der d = der_of(&file);
    struct hwk_tpm_key *key = opened(&file);
    assert_true(hwk_backend_tpm2.blob(tpm, key, &p, &n));
    assert_int_equal(n, d.n);
    assert_memory_equal(p, d.p, n);
    OPENSSL_free(p);
    OPENSSL_free(d.p);
    hwk_tpm_key_free(tpm, key);
}

static void keys_at_handles_are_in_no_file(void **arg)
{
    uint8_t *p = NULL;
    size_t n = 0;
    const struct hwk_spec ec = tpm_ec(256, HWK_USAGE_SIGN);
    (void)arg;
    need_tpm();
    struct hwk_tpm_key *key = tpm_make(0x81020001, &ec, NULL);
    assert_non_null(key);
    assert_true(hwk_backend_tpm2.blob(tpm, key, &p, &n));
    assert_null(p);
    hwk_tpm_key_free(tpm, key);
}

/* a key with a value of its own, as make_blob makes it but for that */
static void give_value(struct tpm_blob *b, const char *value)
{
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    TPM2B_AUTH auth = {.size = (UINT16)strlen(value)};
    TPM2B_PRIVATE *priv = NULL;
    ESYS_TR tr, under;
    memcpy(auth.buffer, value, auth.size);
    assert_non_null(esys);
    struct hwk_tpm_object *parent = hwk_tpm_object_open(tpm, TPM_SRK_AT);
    struct hwk_tpm_object *o =
        hwk_tpm_object_blob(tpm, &b->parent, &b->pub, &b->priv);
    assert_true(parent && o && hwk_tpm_object_tr(tpm, parent, &under) &&
                hwk_tpm_object_tr(tpm, o, &tr));
    assert_int_equal(Esys_ObjectChangeAuth(esys, tr, under, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE, &auth,
                                           &priv),
                     0);
    b->priv = *priv;
    Esys_Free(priv);
    hwk_tpm_object_close(tpm, o);
    hwk_tpm_object_close(tpm, parent);
    hwk_tpm_end(tpm);
}

static void with_a_value(void **arg)
{
    char description[] = "front door";
    struct tpm_blob b;
    struct hwk_found found;
    (void)arg;
    need_tpm();
    b = under_srk;
    give_value(&b, "open");
    struct hwk_tpm_keyfile file = file_of(&b);
    file.empty_auth = false;
    typed = "open";
    struct hwk_tpm_key *key = opened(&file);
    assert_int_equal(times, 1);
    assert_string_equal(asked, "TPM key under 0x81000001");
    assert_true(tpm_signs(tpm, key));
    hwk_tpm_key_free(tpm, key);
    typed = NULL;
    file.description = description;
    refused(&file, HWK_R_PIN_MISSING, "TPM key 'front door'");
    /* the URI of one who knows better than the file */
    file.empty_auth = true;
    const struct hwk_uri uri = {.scheme = HWK_SCHEME_TPM2, .ask_auth = true};
    typed = "open";
    assert_int_equal(open_as(&file, &tpm_cfg, &uri, HWK_WANT_PRIVATE, &found),
                     0);
    assert_true(tpm_signs(tpm, found.ref));
    hwk_tpm_key_free(tpm, found.ref);
    assert_int_equal(tpm_left_behind(), 0);
}

static void owner_value(const char *old, const char *new)
{
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    TPM2B_AUTH now = {.size = (UINT16)strlen(old)},
               then = {.size = (UINT16)strlen(new)};
    memcpy(now.buffer, old, now.size);
    memcpy(then.buffer, new, then.size);
    assert_non_null(esys);
    assert_int_equal(Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, &now), 0);
    assert_int_equal(Esys_HierarchyChangeAuth(esys, ESYS_TR_RH_OWNER,
                                              ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                              ESYS_TR_NONE, &then),
                     0);
    then.size = 0;
    assert_int_equal(Esys_TR_SetAuth(esys, ESYS_TR_RH_OWNER, &then), 0);
    hwk_tpm_end(tpm);
}

static void parents_value(void **arg)
{
    struct hwk_config cfg;
    struct hwk_found found;
    (void)arg;
    need_tpm();
    const struct hwk_tpm_keyfile file = file_of(&under_owner);
    owner_value("", "boss");
    refused(&file, HWK_R_PIN_INCORRECT, "parent has an authorization value");
    cfg = tpm_cfg;
    cfg.parent_pin = hwk_secret_new("boss", 4);
    assert_int_equal(open_as(&file, &cfg, NULL, HWK_WANT_PRIVATE, &found), 0);
    assert_true(tpm_signs(tpm, found.ref));
    hwk_tpm_key_free(tpm, found.ref);
    hwk_secret_free(cfg.parent_pin);
    owner_value("boss", "");
    assert_int_equal(tpm_left_behind(), 0);
}

static void make_under(ESYS_CONTEXT *esys, ESYS_TR under, struct tpm_blob *b)
{
    const struct hwk_tpm_kind p256 = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    const TPM2B_SENSITIVE_CREATE sensitive = {.size = 0};
    const TPM2B_DATA outside = {.size = 0};
    const TPML_PCR_SELECTION none = {.count = 0};
    TPM2B_PUBLIC t, *pub = NULL;
    TPM2B_PRIVATE *priv = NULL;
    tpm_template_sign(&p256, &t);
    assert_int_equal(Esys_Create(esys, under, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &sensitive, &t, &outside, &none,
                                 &priv, &pub, NULL, NULL, NULL),
                     0);
    b->pub = *pub;
    b->priv = *priv;
    Esys_Free(pub);
    Esys_Free(priv);
}

/* a persistent parent with a value, and a key under it */
static void under_guarded(TPM2_HANDLE at, const struct hwk_secret *value,
                          struct tpm_blob *b)
{
    const struct hwk_tpm_parent parent = {.handle = at, .auth = value};
    TPM2B_SENSITIVE_CREATE sensitive = {.size = 0};
    TPM2B_PUBLIC t;
    TPM2B_AUTH auth = {.size = (UINT16)value->n};
    ESYS_TR tr, kept;
    ESYS_CONTEXT *esys = hwk_tpm_begin(tpm);
    assert_non_null(esys);
    memcpy(auth.buffer, value->p, value->n);
    sensitive.sensitive.userAuth = auth;
    hwk_tpm_template_srk(&t);
    assert_true(hwk_tpm_create_primary(tpm, TPM2_RH_OWNER, NULL, &sensitive, &t,
                                       &tr, NULL));
    assert_int_equal(Esys_EvictControl(esys, ESYS_TR_RH_OWNER, tr,
                                       ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, at, &kept),
                     0);
    hwk_tpm_flush(tpm, &tr);
    assert_int_equal(Esys_TR_SetAuth(esys, kept, &auth), 0);
    make_under(esys, kept, b);
    b->parent = parent;
    assert_int_equal(Esys_TR_Close(esys, &kept), 0);
    hwk_tpm_end(tpm);
}

/* whatever is wrong is tried once: then it is known without the TPM */
static void parents_value_is_tried_once(void **arg)
{
    struct hwk_secret *right = hwk_secret_new("upper", 5);
    struct hwk_config cfg;
    struct hwk_found found;
    struct tpm_blob b;
    unsigned long long before, first;
    (void)arg;
    need_tpm();
    under_guarded(0x81000005, right, &b);
    const struct hwk_tpm_keyfile file = file_of(&b);
    cfg = tpm_cfg;
    cfg.parent_pin = hwk_secret_new("lower", 5);
    before = tpm_commands();
    assert_int_equal(open_as(&file, &cfg, NULL, HWK_WANT_PRIVATE, &found), -1);
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    first = tpm_commands() - before;
    before = tpm_commands();
    assert_int_equal(open_as(&file, &cfg, NULL, HWK_WANT_PRIVATE, &found), -1);
    assert_int_equal(tpm_reason(), HWK_R_PIN_INCORRECT);
    assert_int_equal(tpm_commands() - before, 1); /* whose parent it is */
    assert_true(first > 1);
    hwk_secret_free(cfg.parent_pin);
    cfg.parent_pin = right;
    assert_int_equal(open_as(&file, &cfg, NULL, HWK_WANT_PRIVATE, &found), 0);
    assert_true(tpm_signs(tpm, found.ref));
    hwk_tpm_key_free(tpm, found.ref);
    hwk_secret_free(right);
    assert_int_equal(tpm_left_behind(), 0);
}

static void not_of_this_parent(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_keyfile file = file_of(&under_owner);
    file.parent = TPM2_RH_ENDORSEMENT;
    refused(&file, HWK_R_TPM, "another parent or another TPM");
    file.parent = TPM2_RH_OWNER;
    file.rsa_parent = true;
    refused(&file, HWK_R_TPM, "another parent or another TPM");
    file.parent = 0x81000099;
    refused(&file, HWK_R_NOT_FOUND, "0x81000099");
    file.parent = 0x81020001; /* the signing key of above */
    refused(&file, HWK_R_KEY, "no storage key");
}

static void not_of_this_tpm(void **arg)
{
    struct hwk_tpm *first = tpm;
    struct swtpm process;
    struct hwk_config cfg;
    (void)arg;
    need_tpm();
    assert_int_equal(swtpm_start(&process), 0);
    cfg = (struct hwk_config){.tcti = process.tcti, .tpm_lock = process.lock};
    tpm = hwk_tpm_new(&cfg);
    assert_non_null(tpm);
    const struct hwk_tpm_keyfile file = file_of(&under_owner);
    refused(&file, HWK_R_TPM, "another parent or another TPM");
    hwk_tpm_free(tpm);
    swtpm_stop(&process);
    tpm = first;
}

/* the integrity value, what it covers, and the public area */
static void spoilt(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_keyfile file = file_of(&under_srk);
    for (size_t i = 2; i < file.priv.size; i += 9) {
        file.priv.buffer[i] ^= 0x10;
        refused(&file, HWK_R_TPM, "Load under 0x81000001");
        file.priv.buffer[i] ^= 0x10;
    }
    file.pub.publicArea.objectAttributes ^= TPMA_OBJECT_NODA;
    refused(&file, HWK_R_TPM, "altered");
    file.pub.publicArea.objectAttributes ^= TPMA_OBJECT_NODA;
    file.pub.publicArea.unique.ecc.x.buffer[0] ^= 1;
    refused(&file, HWK_R_TPM, "Load under");
}

static void no_key(void **arg)
{
    (void)arg;
    need_tpm();
    struct hwk_tpm_keyfile file = file_of(&under_srk);
    file.type = HWK_TPM_FILE_SEALED;
    refused(&file, HWK_R_KEY, "sealed data");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs),
        cmocka_unit_test(public_halves_need_no_tpm),
        cmocka_unit_test(hierarchies),
        cmocka_unit_test(written_again),
        cmocka_unit_test(keys_at_handles_are_in_no_file),
        cmocka_unit_test(with_a_value),
        cmocka_unit_test(parents_value),
        cmocka_unit_test(parents_value_is_tried_once),
        cmocka_unit_test(not_of_this_parent),
        cmocka_unit_test(not_of_this_tpm),
        cmocka_unit_test(spoilt),
        cmocka_unit_test(no_key),
    };
    return cmocka_run_group_tests(tests, setup, tpm_teardown);
}
