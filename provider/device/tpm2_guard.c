/* SPDX-License-Identifier: Apache-2.0 */
/* What guards a key: where the ways to satisfy its policy come from. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_facts.h"
#include "provider/device/tpm2_satisfy_int.h"
#include "provider/device/tpm2_signer.h"

void hwk_tpm_guard_free(struct hwk_tpm_guard *guard)
{
    if (!guard)
        return;
    hwk_tpm_policy_free(guard->text);
    hwk_tpm_rules_clear(&guard->own);
    for (size_t i = 0; i < HWK_TPM_ASKED; i++)
        hwk_secret_free(guard->asked[i].secret);
    OPENSSL_free(guard->ways);
    OPENSSL_free(guard);
}

static struct hwk_tpm_guard *guard_new(const struct hwk_tpm_key *key, size_t n)
{
    struct hwk_tpm_guard *g = OPENSSL_zalloc(sizeof(*g));
    if (g)
        g->ways = OPENSSL_zalloc(n * sizeof(struct hwk_tpm_rule *));
    if (!g || !g->ways) {
        hwk_tpm_guard_free(g);
        hwk_raise(HWK_R_MEMORY, "policy");
        return NULL;
    }
    g->alg = key->object->pub.publicArea.nameAlg;
    return g;
}

/* --- from a key file --- */

static int from_file(const struct hwk_tpm_key *key, struct hwk_tpm_guard **out)
{
    const struct hwk_tpm_keyfile *f = key->file;
    struct hwk_tpm_guard *g = guard_new(key, 1 + f->alternatives_n);
    if (!g)
        return 0;
    for (size_t i = 0; i < f->alternatives_n; i++)
        g->ways[g->n++] = &f->alternatives[i];
    g->ways[g->n++] = &f->policy;
    snprintf(g->from, sizeof(g->from), "of its key file");
    *out = g;
    return 1;
}

/* --- from a text --- */

/* whether the digest that the ways lead to, where it is known, is the key's */
static bool leads_there(const struct hwk_tpm_rules *rules,
                        const TPM2B_DIGEST *policy)
{
    return rules->policy.size == 0 ||
           (rules->policy.size == policy->size &&
            memcmp(rules->policy.buffer, policy->buffer, policy->size) == 0);
}

static int compile(struct hwk_tpm *tpm, struct hwk_tpm_policy *text,
                   TPMI_ALG_HASH alg, struct hwk_tpm_rules *out)
{
    return hwk_tpm_policy_names(tpm, text) &&
           hwk_tpm_policy_compile(text, alg, out);
}

/* Takes text. Names are asked for only where branches need them. */
static int from_policy(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                       struct hwk_tpm_policy *text, const char *from,
                       struct hwk_tpm_guard **out)
{
    const TPMT_PUBLIC *pub = &key->object->pub.publicArea;
    struct hwk_tpm_rules own;
    ERR_set_mark();
    int ok = hwk_tpm_policy_compile(text, pub->nameAlg, &own);
    ERR_pop_to_mark();
    if (!ok && !compile(tpm, text, pub->nameAlg, &own)) {
        hwk_tpm_policy_free(text);
        return 0;
    }
    struct hwk_tpm_guard *g = guard_new(key, own.n);
    if (!g) {
        hwk_tpm_rules_clear(&own);
        hwk_tpm_policy_free(text);
        return 0;
    }
    g->text = text;
    g->own = own;
    for (; g->n < own.n; g->n++)
        g->ways[g->n] = &own.list[g->n];
    snprintf(g->from, sizeof(g->from), "%s", from);
    if (!leads_there(&own, &pub->authPolicy)) {
        hwk_tpm_guard_free(g);
        return hwk_raise(HWK_R_CONFIG,
                         "TPM key %s: the policy %s is not the key's: its "
                         "digest is another one",
                         key->object->called, from);
    }
    *out = g;
    return 1;
}

static int from_text(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                     const char *text, const char *from,
                     struct hwk_tpm_guard **out)
{
    struct hwk_tpm_policy *policy = hwk_tpm_policy_parse(text);
    if (policy && from_policy(tpm, key, policy, from, out))
        return 1;
    return hwk_raise(HWK_R_CONFIG, "TPM key %s: the policy %s is of no use",
                     key->object->called, from);
}

/* --- from the configuration --- */

/* policy.0x81000001, the digits in lower or upper case; NULL: there is none */
static const char *by_handle(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                             char name[static 32])
{
    const char *text = NULL;
    snprintf(name, 32, "policy.0x%08x", handle);
    if (handle && tpm->cfg)
        text = hwk_config_get(tpm->cfg, name);
    if (handle && tpm->cfg && !text) {
        snprintf(name, 32, "policy.0x%08X", handle);
        text = hwk_config_get(tpm->cfg, name);
    }
    return text;
}

/* a policy whose digest everybody knows; NULL when it is none of these */
static const char *well_known(const TPMT_PUBLIC *pub)
{
    static const char *const texts[] = {"auth", "secret(owner)",
                                        "secret(endorsement)",
                                        "secret(platform)", "secret(lockout)"};
    const char *found = NULL;
    ERR_set_mark();
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts) && !found; i++) {
        struct hwk_tpm_policy *p = hwk_tpm_policy_parse(texts[i]);
        struct hwk_tpm_rules rules;
        if (p && hwk_tpm_policy_compile(p, pub->nameAlg, &rules)) {
            if (leads_there(&rules, &pub->authPolicy))
                found = texts[i];
            hwk_tpm_rules_clear(&rules);
        }
        hwk_tpm_policy_free(p);
    }
    ERR_pop_to_mark();
    return found;
}

/* for a key that only its policy lets be used */
static int guess(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                 struct hwk_tpm_guard **out)
{
    const TPMT_PUBLIC *pub = &key->object->pub.publicArea;
    const char *known = pub->authPolicy.size > 0 ? well_known(pub) : NULL;
    if (known)
        return from_text(tpm, key, known, "known by its digest", out);
    if (tpm->cfg && tpm->cfg->policy && pub->authPolicy.size > 0)
        return from_text(tpm, key, tpm->cfg->policy,
                         "of policy in the configuration", out);
    return hwk_raise(HWK_R_KEY,
                     "TPM key %s is used by its policy only, and nobody says "
                     "what that is: policy.%s in the configuration may",
                     key->object->called,
                     key->object->handle ? key->object->called : "HANDLE");
}

/* the keys that sign, once */
static int read_signers(struct hwk_tpm *tpm)
{
    struct hwk_tpm_policies *p = hwk_tpm_policies(tpm);
    if (p && !p->read)
        p->read = hwk_tpm_signer_read(tpm->cfg ? tpm->cfg->policy_keys : NULL,
                                      &p->signer);
    return p && p->read;
}

bool hwk_tpm_proves_auth(const struct hwk_tpm_rule *way)
{
    for (size_t i = 0; i < way->n; i++)
        if (way->steps[i].code == TPM2_CC_PolicyAuthValue ||
            way->steps[i].code == TPM2_CC_PolicyPassword)
            return true;
    return false;
}

static int find(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                struct hwk_tpm_guard **out)
{
    const TPMT_PUBLIC *pub = &key->object->pub.publicArea;
    char name[32], from[64];
    *out = NULL;
    const char *text = by_handle(tpm, key->object->handle, name);
    bool file = key->file && key->file->policy.n > 0;
    if (!text && pub->objectAttributes & TPMA_OBJECT_USERWITHAUTH &&
        (!file || key->auth || key->file->empty_auth))
        return 1;
    if (!read_signers(tpm))
        return 0;
    snprintf(from, sizeof(from), "of %s in the configuration", name);
    if (text)
        return from_text(tpm, key, text, from, out);
    return file ? from_file(key, out) : guess(tpm, key, out);
}

int hwk_tpm_guard_new(struct hwk_tpm *tpm, const struct hwk_tpm_key *key,
                      struct hwk_tpm_guard **out)
{
    if (!find(tpm, key, out))
        return 0;
    for (size_t i = 0; *out && i < (*out)->n; i++)
        (*out)->proves_auth |= hwk_tpm_proves_auth((*out)->ways[i]);
    return 1;
}
