/* SPDX-License-Identifier: Apache-2.0 */
/* Policies as people write them: the parser. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_rule_file.h"
#include "provider/device/tpm2_rule_text.h"
#include "provider/err.h"

#define DEPTH_MAX 8
#define TERMS_MAX 64

struct text {
    const char *start, *p;
    unsigned depth, terms;
};

/* --- words --- */

static int wrong(const struct text *t, const char *expected)
{
    return hwk_raise(HWK_R_FORMAT, "policy: at byte %zu, '%.20s': %s expected",
                     (size_t)(t->p - t->start), t->p, expected);
}

static void blanks(struct text *t)
{
    while (*t->p == ' ' || *t->p == '\t' || *t->p == '\n' || *t->p == '\r')
        t->p++;
}

static bool take(struct text *t, const char *word)
{
    size_t n = strlen(word);
    blanks(t);
    if (strncmp(t->p, word, n) != 0 || (isalnum((unsigned char)word[n - 1]) &&
                                        isalnum((unsigned char)t->p[n])))
        return false;
    t->p += n;
    return true;
}

static int need(struct text *t, const char *word)
{
    return take(t, word) ? 1 : wrong(t, word);
}

static int number(struct text *t, unsigned long long max,
                  unsigned long long *out)
{
    char *end;
    blanks(t);
    if (!isdigit((unsigned char)*t->p))
        return wrong(t, "a number");
    int base = t->p[0] == '0' && (t->p[1] | 32) == 'x' ? 16 : 10;
    size_t n = base == 16 ? 2 + strspn(t->p + 2, "0123456789abcdefABCDEF")
                          : strspn(t->p, "0123456789");
    *out = strtoull(t->p, &end, base);
    if (end != t->p + n || n > 20 || *out > max)
        return wrong(t, "a smaller number");
    t->p = end;
    return 1;
}

static int hex(struct text *t, BYTE *out, UINT16 max, UINT16 *size)
{
    static const char digits[] = "0123456789abcdef";
    blanks(t);
    size_t n = strspn(t->p, "0123456789abcdefABCDEF");
    if (n == 0 || n % 2 != 0 || n / 2 > max)
        return wrong(t, "an even number of hex digits that fits");
    for (size_t i = 0; i < n; i++) {
        const char *d = strchr(digits, tolower((unsigned char)t->p[i]));
        out[i / 2] = (BYTE)(out[i / 2] << 4 | (d - digits));
    }
    *size = (UINT16)(n / 2);
    t->p += n;
    return 1;
}

/* a path, up to ',' or ')' and without the blanks before that */
static char *path(struct text *t)
{
    blanks(t);
    size_t n = strcspn(t->p, ",)"), used = n;
    while (used > 0 && isspace((unsigned char)t->p[used - 1]))
        used--;
    char *out = used > 0 ? OPENSSL_strndup(t->p, used) : NULL;
    if (used == 0)
        wrong(t, "the path of a file");
    else if (!out)
        hwk_raise(HWK_R_MEMORY, "policy");
    t->p += n;
    return out;
}

/* --- conditions --- */

static int bank_of(struct text *t, TPMI_ALG_HASH *out)
{
    static const struct {
        const char *name;
        TPMI_ALG_HASH alg;
    } banks[] = {{"sha1", TPM2_ALG_SHA1},
                 {"sha256", TPM2_ALG_SHA256},
                 {"sha384", TPM2_ALG_SHA384},
                 {"sha512", TPM2_ALG_SHA512}};
    for (size_t i = 0; i < sizeof(banks) / sizeof(*banks); i++)
        if (take(t, banks[i].name)) {
            *out = banks[i].alg;
            return 1;
        }
    return wrong(t, "sha1, sha256, sha384 or sha512");
}

static int one_pcr(struct text *t, struct hwk_tpm_policy *node)
{
    TPMS_PCR_SELECTION *s = &node->term->pcrs.pcrSelections[0];
    unsigned long long pcr;
    if (!number(t, HWK_TPM_PCRS - 1, &pcr))
        return 0;
    if (s->pcrSelect[pcr / 8] & 1u << pcr % 8)
        return wrong(t, "each PCR once");
    s->pcrSelect[pcr / 8] |= (BYTE)(1u << pcr % 8);
    if (!take(t, "="))
        return 1;
    TPM2B_DIGEST *v = &node->value[pcr];
    if (!hex(t, v->buffer, sizeof(v->buffer), &v->size))
        return 0;
    return v->size == hwk_md_size(hwk_tpm_md(s->hash))
               ? 1
               : wrong(t, "a value as long as the bank's");
}

static int pcr(struct text *t, struct hwk_tpm_policy *node)
{
    TPML_PCR_SELECTION *l = &node->term->pcrs;
    l->count = 1;
    l->pcrSelections[0].sizeofSelect = HWK_TPM_PCRS / 8;
    if (!bank_of(t, &l->pcrSelections[0].hash) || !need(t, ":"))
        return 0;
    do {
        if (!one_pcr(t, node))
            return 0;
    } while (take(t, ","));
    return 1;
}

static int handle(struct text *t, TPM2_HANDLE *out)
{
    unsigned long long n;
    blanks(t);
    if (strncmp(t->p, "0x", 2) != 0)
        return wrong(t, "a handle, 0x...");
    if (!number(t, UINT32_MAX, &n))
        return 0;
    *out = (TPM2_HANDLE)n;
    return 1;
}

static int reference(struct text *t, struct hwk_tpm_term *term)
{
    if (!take(t, ",") || !take(t, "ref"))
        return wrong(t, "ref=, or ')'");
    return need(t, "=") &&
           hex(t, term->ref.buffer, sizeof(term->ref.buffer), &term->ref.size);
}

static int secret(struct text *t, struct hwk_tpm_policy *node)
{
    static const struct {
        const char *name;
        TPM2_HANDLE handle;
    } known[] = {{"owner", TPM2_RH_OWNER},
                 {"endorsement", TPM2_RH_ENDORSEMENT},
                 {"platform", TPM2_RH_PLATFORM},
                 {"lockout", TPM2_RH_LOCKOUT}};
    struct hwk_tpm_term *term = node->term;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (term->handle == 0 && take(t, known[i].name))
            term->handle = known[i].handle;
    if (term->handle == 0 && !handle(t, &term->handle))
        return 0;
    blanks(t);
    return *t->p != ',' || reference(t, term);
}

/* file [ref] [sig] */
static int by_key(struct text *t, struct hwk_tpm_policy *node)
{
    struct hwk_tpm_term *term = node->term;
    char *name = path(t);
    int ok = name && hwk_tpm_file_public(name, &term->pub);
    OPENSSL_free(name);
    while (ok && take(t, ",")) {
        if (take(t, "ref")) {
            ok = need(t, "=") && hex(t, term->ref.buffer,
                                     sizeof(term->ref.buffer), &term->ref.size);
        } else if (take(t, "sig") && need(t, "=")) {
            name = path(t);
            ok = name && hwk_tpm_file_signature(name, &term->pub, &term->sig);
            OPENSSL_free(name);
        } else {
            ok = wrong(t, "ref= or sig=");
        }
    }
    return ok;
}

static int operation(struct text *t, TPM2_EO *out)
{
    /* the longer ones first */
    static const struct {
        const char *name;
        TPM2_EO op;
    } known[] = {{"==", TPM2_EO_EQ},          {"!=", TPM2_EO_NEQ},
                 {">=", TPM2_EO_UNSIGNED_GE}, {"<=", TPM2_EO_UNSIGNED_LE},
                 {">", TPM2_EO_UNSIGNED_GT},  {"<", TPM2_EO_UNSIGNED_LT},
                 {"bitset", TPM2_EO_BITSET},  {"bitclear", TPM2_EO_BITCLEAR}};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (take(t, known[i].name)) {
            *out = known[i].op;
            return 1;
        }
    return wrong(t, "== != > < >= <= bitset or bitclear");
}

static int value(struct text *t, TPM2B_OPERAND *out)
{
    unsigned long long n;
    if (!take(t, "count:"))
        return hex(t, out->buffer, sizeof(out->buffer), &out->size);
    if (!number(t, UINT64_MAX, &n))
        return 0;
    for (int i = 8; i-- > 0; n >>= 8)
        out->buffer[i] = (BYTE)n;
    out->size = 8;
    return 1;
}

static int nv(struct text *t, struct hwk_tpm_policy *node)
{
    struct hwk_tpm_term *term = node->term;
    unsigned long long offset = 0;
    if (!handle(t, &term->handle))
        return 0;
    if (term->handle >> 24 != TPM2_HT_NV_INDEX)
        return wrong(t, "an NV index, 0x01...,");
    if (!operation(t, &term->op) || !value(t, &term->operand))
        return 0;
    if (take(t, ",") && (!need(t, "offset") || !need(t, "=") ||
                         !number(t, UINT16_MAX, &offset)))
        return 0;
    term->offset = (UINT16)offset;
    return 1;
}

static int code(struct text *t, struct hwk_tpm_policy *node)
{
    unsigned long long n = 0;
    if (take(t, "sign"))
        n = TPM2_CC_Sign;
    else if (take(t, "decrypt"))
        n = TPM2_CC_RSA_Decrypt;
    else if (take(t, "derive"))
        n = TPM2_CC_ECDH_ZGen;
    else if (!number(t, UINT32_MAX, &n))
        return 0;
    node->term->command = (TPM2_CC)n;
    return 1;
}

static const struct {
    const char *name;
    TPM2_CC code;
    int (*read)(struct text *t, struct hwk_tpm_policy *node);
} conditions[] = {
    {"auth", TPM2_CC_PolicyAuthValue, NULL},
    {"pcr", TPM2_CC_PolicyPCR, pcr},
    {"secret", TPM2_CC_PolicySecret, secret},
    {"signed", TPM2_CC_PolicySigned, by_key},
    {"authorize", TPM2_CC_PolicyAuthorize, by_key},
    {"nv", TPM2_CC_PolicyNV, nv},
    {"code", TPM2_CC_PolicyCommandCode, code},
};

/* --- the tree --- */

static struct hwk_tpm_policy *node_new(enum hwk_tpm_node_kind kind)
{
    struct hwk_tpm_policy *node = OPENSSL_zalloc(sizeof(*node));
    if (node && kind == HWK_TPM_TERM) {
        node->term = OPENSSL_zalloc(sizeof(*node->term));
        if (!node->term) {
            OPENSSL_free(node);
            node = NULL;
        }
    }
    if (node)
        node->kind = kind;
    else
        hwk_raise(HWK_R_MEMORY, "policy");
    return node;
}

void hwk_tpm_policy_free(struct hwk_tpm_policy *policy)
{
    while (policy) {
        struct hwk_tpm_policy *next = policy->next;
        hwk_tpm_policy_free(policy->first);
        OPENSSL_free(policy->term);
        OPENSSL_free(policy);
        policy = next;
    }
}

static int condition(struct text *t, struct hwk_tpm_policy *node)
{
    for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
        if (!take(t, conditions[i].name))
            continue;
        node->term->code = conditions[i].code;
        node->term->sig.sigAlg = TPM2_ALG_NULL;
        return !conditions[i].read ||
               (need(t, "(") && conditions[i].read(t, node) && need(t, ")"));
    }
    return wrong(t, "auth, pcr, secret, signed, authorize, nv or code");
}

static struct hwk_tpm_policy *either(struct text *t);

static struct hwk_tpm_policy *term(struct text *t)
{
    struct hwk_tpm_policy *node;
    if (take(t, "(")) {
        if (t->depth >= DEPTH_MAX) {
            wrong(t, "less depth");
            return NULL;
        }
        t->depth++;
        node = either(t);
        t->depth--;
        if (node && need(t, ")"))
            return node;
    } else {
        if (++t->terms > TERMS_MAX) {
            wrong(t, "an end");
            return NULL;
        }
        node = node_new(HWK_TPM_TERM);
        if (node && condition(t, node))
            return node;
    }
    hwk_tpm_policy_free(node);
    return NULL;
}

/* one, or several with the sign between: a node of that kind */
static struct hwk_tpm_policy *
series(struct text *t, const char *sign, enum hwk_tpm_node_kind kind,
       struct hwk_tpm_policy *(*part)(struct text *))
{
    struct hwk_tpm_policy *all = node_new(kind), **end;
    if (!all)
        return NULL;
    end = &all->first;
    do {
        *end = part(t);
        if (!*end) {
            hwk_tpm_policy_free(all);
            return NULL;
        }
        end = &(*end)->next;
    } while (take(t, sign));
    if (!all->first->next) {
        struct hwk_tpm_policy *only = all->first;
        OPENSSL_free(all);
        return only;
    }
    return all;
}

static struct hwk_tpm_policy *branch(struct text *t)
{
    return series(t, "&", HWK_TPM_ALL, term);
}

static struct hwk_tpm_policy *either(struct text *t)
{
    return series(t, "|", HWK_TPM_ANY, branch);
}

struct hwk_tpm_policy *hwk_tpm_policy_parse(const char *text)
{
    struct text t = {.start = text, .p = text};
    if (strlen(text) > HWK_TPM_POLICY_TEXT_MAX) {
        hwk_raise(HWK_R_FORMAT, "policy: longer than %d bytes",
                  HWK_TPM_POLICY_TEXT_MAX);
        return NULL;
    }
    struct hwk_tpm_policy *policy = either(&t);
    blanks(&t);
    if (policy && *t.p != 0) {
        wrong(&t, "'&', '|' or an end");
        hwk_tpm_policy_free(policy);
        policy = NULL;
    }
    return policy;
}
