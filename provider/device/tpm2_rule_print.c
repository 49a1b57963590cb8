/* SPDX-License-Identifier: Apache-2.0 */
/* Policies in words, for messages. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "provider/device/tpm2_rule_text.h"

struct out {
    char *p;
    size_t max;
};

static void say(struct out *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct out *o, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(o->p, o->max, fmt, args);
    va_end(args);
    if (n < 0 || o->max == 0)
        return;
    size_t used = (size_t)n < o->max ? (size_t)n : o->max - 1;
    o->p += used;
    o->max -= used;
}

static void say_hex(struct out *o, const BYTE *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        say(o, "%02x", p[i]);
}

static const char *bank_name(TPMI_ALG_HASH alg)
{
    switch (alg) {
    case TPM2_ALG_SHA1:
        return "sha1";
    case TPM2_ALG_SHA256:
        return "sha256";
    case TPM2_ALG_SHA384:
        return "sha384";
    case TPM2_ALG_SHA512:
        return "sha512";
    default:
        return "another bank";
    }
}

static void say_pcrs(struct out *o, const TPML_PCR_SELECTION *l)
{
    for (UINT32 i = 0; i < l->count; i++) {
        const TPMS_PCR_SELECTION *s = &l->pcrSelections[i];
        const char *sep = ":";
        say(o, "%s%s", i ? "+" : "", bank_name(s->hash));
        for (unsigned pcr = 0; pcr < 8u * s->sizeofSelect; pcr++)
            if (s->pcrSelect[pcr / 8] & 1u << pcr % 8) {
                say(o, "%s%u", sep, pcr);
                sep = ",";
            }
    }
}

static void say_handle(struct out *o, const struct hwk_tpm_term *t)
{
    switch (t->handle) {
    case 0:
        say(o, "name ");
        say_hex(o, t->name.name, t->name.size);
        break;
    case TPM2_RH_OWNER:
        say(o, "owner");
        break;
    case TPM2_RH_ENDORSEMENT:
        say(o, "endorsement");
        break;
    case TPM2_RH_PLATFORM:
        say(o, "platform");
        break;
    case TPM2_RH_LOCKOUT:
        say(o, "lockout");
        break;
    default:
        say(o, "0x%08x", t->handle);
    }
}

static void say_compare(struct out *o, const struct hwk_tpm_term *t)
{
    static const char *const ops[] = {
        "==",         "!=", ">(signed)",  ">",  "<(signed)", "<",
        ">=(signed)", ">=", "<=(signed)", "<=", "bitset",    "bitclear"};
    say(o, " %s ", t->op < sizeof(ops) / sizeof(*ops) ? ops[t->op] : "?");
    say_hex(o, t->operand.buffer, t->operand.size);
    if (t->offset)
        say(o, ",offset=%u", t->offset);
}

static void say_signer(struct out *o, const char *what,
                       const struct hwk_tpm_term *t)
{
    TPM2B_NAME name;
    say(o, "%s(key ", what);
    if (hwk_tpm_public_name(&t->pub, &name))
        say_hex(o, name.name, name.size);
    if (t->ref.size)
        say(o, ",ref=");
    say_hex(o, t->ref.buffer, t->ref.size);
    say(o, ")");
}

static void say_code(struct out *o, TPM2_CC code)
{
    if (code == TPM2_CC_Sign)
        say(o, "code(sign)");
    else if (code == TPM2_CC_RSA_Decrypt)
        say(o, "code(decrypt)");
    else if (code == TPM2_CC_ECDH_ZGen)
        say(o, "code(derive)");
    else
        say(o, "code(0x%x)", code);
}

static void say_term(struct out *o, const struct hwk_tpm_term *t)
{
    switch (t->code) {
    case TPM2_CC_PolicyPCR:
        say(o, "pcr(");
        say_pcrs(o, &t->pcrs);
        say(o, ")");
        break;
    case TPM2_CC_PolicyAuthValue:
    case TPM2_CC_PolicyPassword:
        say(o, "auth");
        break;
    case TPM2_CC_PolicySecret:
        say(o, "secret(");
        say_handle(o, t);
        say(o, ")");
        break;
    case TPM2_CC_PolicySigned:
        say_signer(o, "signed", t);
        break;
    case TPM2_CC_PolicyAuthorize:
        say_signer(o, "authorize", t);
        break;
    case TPM2_CC_PolicyNV:
        say(o, "nv(0x%08x", t->handle);
        say_compare(o, t);
        say(o, ")");
        break;
    case TPM2_CC_PolicyCounterTimer:
        say(o, "clock(");
        say_compare(o, t);
        say(o, ")");
        break;
    case TPM2_CC_PolicyCommandCode:
        say_code(o, t->command);
        break;
    case TPM2_CC_PolicyLocality:
        say(o, "locality(0x%02x)", t->locality);
        break;
    default:
        say(o, "%s", hwk_tpm_step_name(t->code));
    }
}

void hwk_tpm_term_text(const struct hwk_tpm_term *term, char *out, size_t max)
{
    struct out o = {out, max};
    say(&o, "%s", "");
    say_term(&o, term);
}

void hwk_tpm_rule_text(const struct hwk_tpm_rule *rule, char *out, size_t max)
{
    struct out o = {out, max};
    struct hwk_tpm_term term;
    const char *sep = "";
    say(&o, "%s%s", rule->name ? rule->name : "", rule->name ? ": " : "");
    for (size_t i = 0; i < rule->n; i++) {
        if (rule->steps[i].code == TPM2_CC_PolicyOR ||
            !hwk_tpm_term_from(&rule->steps[i], &term))
            continue;
        say(&o, "%s", sep);
        say_term(&o, &term);
        sep = " & ";
    }
}
