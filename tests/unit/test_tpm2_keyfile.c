/* SPDX-License-Identifier: Apache-2.0 */
/* Key files of TPMs as ASN.1: all fields, and all that may be wrong. */
#include <openssl/asn1.h>
#include <openssl/conf.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_keyfile.h"
#include "provider/device/tpm2_template.h"
#include "tpm.h"

#define HEX_MAX 2048
#define LOADABLE "2.23.133.10.1.3"
#define IMPORTABLE "2.23.133.10.1.4"
#define SEALED "2.23.133.10.1.5"

/* --- the parts --- */

static void marshal(TPM2B_PUBLIC *pub, char hex[static HEX_MAX])
{
    uint8_t p[sizeof(*pub)];
    size_t n = 0;
    assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(pub, p, sizeof(p), &n), 0);
    assert_true(2 * n < HEX_MAX);
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", p[i]);
}

static void a_public(TPM2B_PUBLIC *pub)
{
    const struct hwk_tpm_kind kind = {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0};
    memset(pub, 0, sizeof(*pub));
    tpm_template_sign(&kind, pub);
    pub->publicArea.unique.ecc.x.size = 32;
    pub->publicArea.unique.ecc.y.size = 32;
    memset(pub->publicArea.unique.ecc.x.buffer, 7, 32);
    memset(pub->publicArea.unique.ecc.y.buffer, 9, 32);
}

/* a file from what ASN1_generate_nconf understands */
static size_t generate(const char *fields, const char *more, uint8_t **der)
{
    char text[8192];
    CONF *conf = NCONF_new(NULL);
    BIO *in;
    *der = NULL;
    assert_true(snprintf(text, sizeof(text), "[k]\n%s\n%s\n", fields, more) <
                (int)sizeof(text));
    in = BIO_new_mem_buf(text, -1);
    assert_int_equal(NCONF_load_bio(conf, in, NULL), 1);
    ASN1_TYPE *t = ASN1_generate_nconf("SEQUENCE:k", conf);
    assert_non_null(t);
    int n = i2d_ASN1_TYPE(t, der);
    assert_true(n > 0);
    ASN1_TYPE_free(t);
    BIO_free(in);
    NCONF_free(conf);
    return (size_t)n;
}

/* what the file says: NULL for the usual, "" for nothing */
struct parts {
    const char *type, *options, *parent, *pub, *priv, *more;
};

static const char *either(const char *given, const char *usual)
{
    return given ? given : usual;
}

static size_t file_of(const struct parts *p, uint8_t **der)
{
    char pub[HEX_MAX], fields[3 * HEX_MAX];
    TPM2B_PUBLIC area;
    a_public(&area);
    marshal(&area, pub);
    snprintf(fields, sizeof(fields),
             "t=OID:%s\n%s\np=INTEGER:%s\nb=FORMAT:HEX,OCTETSTRING:%s\n"
             "v=FORMAT:HEX,OCTETSTRING:%s",
             either(p->type, LOADABLE), either(p->options, ""),
             either(p->parent, "0x40000001"), either(p->pub, pub),
             either(p->priv, "0003aabbcc"));
    return generate(fields, either(p->more, ""), der);
}

static struct hwk_tpm_keyfile *parse(const struct parts *p)
{
    struct hwk_tpm_keyfile *file = NULL;
    uint8_t *der;
    size_t n = file_of(p, &der);
    ERR_clear_error();
    int ok = hwk_tpm_keyfile_parse(der, n, &file);
    assert_int_equal(ok, file != NULL);
    assert_int_equal(ERR_peek_error() == 0, ok);
    OPENSSL_free(der);
    return file;
}

static void refused(const struct parts *p, const char *why)
{
    const char *text = "";
    assert_null(parse(p));
    ERR_peek_last_error_all(NULL, NULL, NULL, &text, NULL);
    if (!strstr(text, why))
        fail_msg("'%s' does not say '%s'", text, why);
    assert_int_equal(tpm_reason(), HWK_R_FORMAT);
}

/* --- tests --- */

static void the_least(void **arg)
{
    const struct parts least = {0};
    struct hwk_tpm_keyfile *file = parse(&least);
    (void)arg;
    assert_non_null(file);
    assert_int_equal(file->type, HWK_TPM_FILE_LOADABLE);
    assert_false(file->empty_auth);
    assert_false(file->rsa_parent);
    assert_int_equal(file->policy.n, 0);
    assert_int_equal(file->alternatives_n, 0);
    assert_int_equal(file->secret.size, 0);
    assert_null(file->description);
    assert_int_equal(file->parent, TPM2_RH_OWNER);
    assert_int_equal(file->pub.publicArea.type, TPM2_ALG_ECC);
    assert_int_equal(file->pub.publicArea.unique.ecc.y.buffer[31], 9);
    assert_int_equal(file->priv.size, 3);
    assert_memory_equal(file->priv.buffer, "\xaa\xbb\xcc", 3);
    hwk_tpm_keyfile_free(file);
}

static const struct parts whole = {
    .type = IMPORTABLE,
    .options =
        "o0=EXP:0,BOOLEAN:TRUE\no1=EXP:1,SEQUENCE:policy\n"
        "o2=EXP:2,FORMAT:HEX,OCTETSTRING:0002cafe\n"
        "o3=EXP:3,SEQUENCE:signed\no4=EXP:4,FORMAT:UTF8,UTF8:T\xc3\xbcr\n"
        "o5=EXP:5,BOOLEAN:TRUE",
    .parent = "0x81000001",
    .more = "[policy]\na=SEQUENCE:one\nb=SEQUENCE:two\n"
            "[one]\nc=EXP:0,INTEGER:0x17f\n"
            "p=EXP:1,FORMAT:HEX,OCTETSTRING:0102\n"
            "[two]\nc=EXP:0,INTEGER:0x16b\np=EXP:1,OCTETSTRING:\n"
            "[signed]\na=SEQUENCE:named\nb=SEQUENCE:bare\n"
            "[named]\nn=EXP:0,UTF8:spring\np=EXP:1,SEQUENCE:policy\n"
            "[bare]\np=EXP:1,SEQUENCE:policy\n"};

static void assert_rule(const struct hwk_tpm_rule *rule, const char *name)
{
    assert_int_equal(rule->n, 2);
    assert_int_equal(rule->steps[0].code, TPM2_CC_PolicyPCR);
    assert_int_equal(rule->steps[0].n, 2);
    assert_memory_equal(rule->steps[0].params, "\x01\x02", 2);
    assert_int_equal(rule->steps[1].code, TPM2_CC_PolicyAuthValue);
    assert_int_equal(rule->steps[1].n, 0);
    if (name)
        assert_string_equal(rule->name, name);
    else
        assert_null(rule->name);
}

static void assert_whole(const struct hwk_tpm_keyfile *file)
{
    assert_int_equal(file->type, HWK_TPM_FILE_IMPORTABLE);
    assert_true(file->empty_auth);
    assert_true(file->rsa_parent);
    assert_rule(&file->policy, NULL);
    assert_int_equal(file->alternatives_n, 2);
    assert_rule(&file->alternatives[0], "spring");
    assert_rule(&file->alternatives[1], NULL);
    assert_int_equal(file->secret.size, 2);
    assert_memory_equal(file->secret.secret, "\xca\xfe", 2);
    assert_string_equal(file->description, "T\xc3\xbcr");
    assert_int_equal(file->parent, 0x81000001);
}

/* all fields are read, and written as they were */
static void the_most(void **arg)
{
    struct hwk_tpm_keyfile *file, *again;
    uint8_t *der, *out;
    size_t n = file_of(&whole, &der), m;
    (void)arg;
    assert_int_equal(hwk_tpm_keyfile_parse(der, n, &file), 1);
    assert_whole(file);
    assert_int_equal(hwk_tpm_keyfile_encode(file, &out, &m), 1);
    assert_int_equal(n, m);
    assert_memory_equal(der, out, n);
    assert_int_equal(hwk_tpm_keyfile_parse(out, m, &again), 1);
    assert_whole(again);
    hwk_tpm_keyfile_free(file);
    hwk_tpm_keyfile_free(again);
    OPENSSL_free(der);
    OPENSSL_free(out);
}

static void cut_anywhere(void **arg)
{
    struct hwk_tpm_keyfile *file = NULL;
    uint8_t *der;
    size_t n = file_of(&whole, &der);
    (void)arg;
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = OPENSSL_memdup(der, cut > 0 ? cut : 1);
        assert_int_equal(hwk_tpm_keyfile_parse(copy, cut, &file), 0);
        assert_null(file);
        assert_int_equal(tpm_reason(), HWK_R_FORMAT);
        OPENSSL_free(copy);
    }
    der = OPENSSL_realloc(der, n + 1);
    der[n] = 0;
    assert_int_equal(hwk_tpm_keyfile_parse(der, n + 1, &file), 0);
    assert_int_equal(tpm_reason(), HWK_R_FORMAT);
    OPENSSL_free(der);
}

static void assert_parent(const char *number, TPM2_HANDLE handle)
{
    const struct parts p = {.parent = number};
    struct hwk_tpm_keyfile *file = parse(&p);
    assert_non_null(file);
    assert_int_equal(file->parent, handle);
    hwk_tpm_keyfile_free(file);
}

static void parents(void **arg)
{
    static const char *const none[] = {
        "0x80000001", "0x01c90000", "0x02000000", "0x03000000",
        "0x40000009", "0x4000000a", "0x40000000", "0x82000000",
        "1",          "-1",         "0x90000000", "-0x7ffffff0"};
    static const char *const large[] = {"0x181000001", "-0x80000001",
                                        "0x10000000000000000"};
    (void)arg;
    assert_parent("0", TPM2_RH_OWNER);
    assert_parent("0x40000001", TPM2_RH_OWNER);
    assert_parent("0x4000000b", TPM2_RH_ENDORSEMENT);
    assert_parent("0x4000000c", TPM2_RH_PLATFORM);
    assert_parent("0x40000007", TPM2_RH_NULL);
    assert_parent("0x81000001", 0x81000001);
    assert_parent("-0x7effffff", 0x81000001); /* 81000001 without the zero */
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        refused(&(struct parts){.parent = none[i]}, "no parent");
    for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++)
        refused(&(struct parts){.parent = large[i]}, "no handle");
}

static void kinds(void **arg)
{
    static const char secret[] = "s=EXP:2,FORMAT:HEX,OCTETSTRING:0002cafe";
    struct hwk_tpm_keyfile *file = parse(&(struct parts){.type = SEALED});
    (void)arg;
    assert_non_null(file);
    assert_int_equal(file->type, HWK_TPM_FILE_SEALED);
    hwk_tpm_keyfile_free(file);
    refused(&(struct parts){.type = "2.23.133.10.1.2"},
            "type 2.23.133.10.1.2 is not known");
    refused(&(struct parts){.type = IMPORTABLE}, "without a secret");
    refused(&(struct parts){.options = secret}, "not to be imported");
    refused(&(struct parts){.type = SEALED, .options = secret},
            "not to be imported");
}

/* what is in a TPM2B is as long as it says */
static void sizes(void **arg)
{
    static const char *const bad[] = {"00",       "0000",       "0001",
                                      "0001aabb", "ffffaabbcc", "0003aabb"};
    char hex[HEX_MAX], option[HEX_MAX];
    TPM2B_PUBLIC pub;
    (void)arg;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        refused(&(struct parts){.priv = bad[i]}, "private part");
        refused(&(struct parts){.pub = bad[i]}, "public area");
        snprintf(option, sizeof(option), "s=EXP:2,FORMAT:HEX,OCTETSTRING:%s",
                 bad[i]);
        refused(&(struct parts){.type = IMPORTABLE, .options = option},
                "its secret");
    }
    a_public(&pub);
    marshal(&pub, hex);
    strcat(hex, "00");
    refused(&(struct parts){.pub = hex}, "public area");
    hex[3]++; /* its size, now with the byte that is left over */
    refused(&(struct parts){.pub = hex}, "public area");
}

static void long_ones(void **arg)
{
    char hex[2 * sizeof(TPM2B_PRIVATE) + 16];
    size_t max = sizeof(((TPM2B_PRIVATE *)0)->buffer);
    struct hwk_tpm_keyfile *file;
    (void)arg;
    memset(hex, 'a', sizeof(hex));
    hex[4 + 2 * max] = 0;
    snprintf(hex, 5, "%04zx", max);
    hex[4] = 'a';
    file = parse(&(struct parts){.priv = hex});
    assert_non_null(file);
    assert_int_equal(file->priv.size, max);
    hwk_tpm_keyfile_free(file);
    memcpy(hex + 4 + 2 * max, "aa", 3);
    snprintf(hex, 5, "%04zx", max + 1);
    hex[4] = 'a';
    refused(&(struct parts){.priv = hex}, "private part");
}

static void policies(void **arg)
{
    static const char *const codes[] = {"0", "-1", "0x100000000"};
    (void)arg;
    refused(&(struct parts){.options = "o=EXP:3,SEQUENCE:signed",
                            .more = "[signed]\na=SEQUENCE:bare\n[bare]\n"
                                    "p=EXP:1,SEQUENCE:none\n[none]\n"},
            "no policy that takes them");
    for (size_t i = 0; i < 3; i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "[policy]\na=SEQUENCE:one\n[one]\nc=EXP:0,INTEGER:%s\n"
                 "p=EXP:1,OCTETSTRING:a\n",
                 codes[i]);
        refused(
            &(struct parts){.options = "o=EXP:1,SEQUENCE:policy", .more = text},
            "has no code");
    }
}

static void texts(void **arg)
{
    (void)arg;
    refused(&(struct parts){.options =
                                "d=EXP:4,IMP:12U,FORMAT:HEX,OCTETSTRING:61ff"},
            "UTF-8");
    refused(
        &(struct parts){.options =
                            "d=EXP:4,IMP:12U,FORMAT:HEX,OCTETSTRING:610062"},
        "NUL");
}

static void more_fields(void **arg)
{
    (void)arg;
    refused(&(struct parts){.options = "d=EXP:6,BOOLEAN:TRUE"}, "ASN.1");
    refused(&(struct parts){.options = "d=EXP:5,BOOLEAN:TRUE\n"
                                       "e=EXP:0,BOOLEAN:TRUE"},
            "ASN.1");
    refused(&(struct parts){.priv = "0003aabbcc\nx=INTEGER:1"}, "ASN.1");
}

/* false: absent, or said; true: 0xff, or anything but 0 */
static void booleans(void **arg)
{
    static const struct {
        const char *option;
        bool empty;
    } all[] = {{"", false},
               {"e=EXP:0,BOOLEAN:FALSE", false},
               {"e=EXP:0,BOOLEAN:TRUE", true},
               {"e=EXP:0,IMP:1U,FORMAT:HEX,OCTETSTRING:01", true}};
    (void)arg;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        struct hwk_tpm_keyfile *file =
            parse(&(struct parts){.options = all[i].option});
        assert_non_null(file);
        assert_int_equal(file->empty_auth, all[i].empty);
        hwk_tpm_keyfile_free(file);
    }
}

static void unwritable(void **arg)
{
    struct hwk_tpm_keyfile *file = parse(&whole);
    uint8_t *der = NULL;
    size_t n = 0;
    (void)arg;
    assert_non_null(file);
    file->parent = 0x80000000;
    assert_int_equal(hwk_tpm_keyfile_encode(file, &der, &n), 0);
    assert_int_equal(tpm_reason(), HWK_R_FORMAT);
    file->parent = TPM2_RH_NULL;
    file->secret.size = 0;
    assert_int_equal(hwk_tpm_keyfile_encode(file, &der, &n), 0);
    assert_int_equal(tpm_reason(), HWK_R_FORMAT);
    file->type = HWK_TPM_FILE_LOADABLE;
    assert_int_equal(hwk_tpm_keyfile_encode(file, &der, &n), 1);
    OPENSSL_free(der);
    hwk_tpm_keyfile_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least),    cmocka_unit_test(the_most),
        cmocka_unit_test(cut_anywhere), cmocka_unit_test(parents),
        cmocka_unit_test(kinds),        cmocka_unit_test(sizes),
        cmocka_unit_test(long_ones),    cmocka_unit_test(policies),
        cmocka_unit_test(texts),        cmocka_unit_test(more_fields),
        cmocka_unit_test(booleans),     cmocka_unit_test(unwritable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
