/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa rollover: the next key of one kind, certified by the CA that
 * "init" made for it. */
#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>

#include "ca.h"
#include "masa.h"

#define NEXT_MAX 999

struct kind {
    const char *word, *name, *title;
    enum idv_cert_kind cert;
    int years;
    const char *issuer;
    const char *use; /* of a signer; NULL any */
};
static const struct kind kinds[] = {
    {"voucher", "masa", "Voucher Signer", IDV_CERT_SIGNER, 10, "voucher-ca",
     NULL},
    {"nonceless", "masa-nonceless", "Nonceless Signer", IDV_CERT_SIGNER, 10,
     "voucher-ca", "nonceless"},
    {"server", "masa-tls", "MASA", IDV_CERT_SERVER, 2, "masa-ca", NULL},
};

static idv_rc kind_of(const char *word, const struct kind **out)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcmp(kinds[i].word, word) == 0) {
            *out = &kinds[i];
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_ARG,
                    "rollover: %.40s is none of voucher, nonceless, "
                    "server",
                    word);
}

static bool is_signer(const struct kind *k)
{
    return k->cert == IDV_CERT_SIGNER;
}

/* the first of them that is not complete: what was cut is gone on with */
static idv_rc next_name(const char *dir, const struct kind *k,
                        char out[static 48])
{
    char path[1024];
    for (int n = 2; n <= NEXT_MAX; n++) {
        snprintf(out, 48, "%s-%d", k->name, n);
        IDV_TRY(tool_path(dir, out, is_signer(k) ? ".ini" : ".pem", path));
        if (!idv_fs_exists(path))
            return IDV_OK;
    }
    return idv_fail(IDV_E_LIMIT, "%s: more than %d of them", dir, NEXT_MAX);
}

static idv_rc organization_of(const X509 *cert, char out[static 128])
{
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
                                  NID_organizationName, out, 128) > 0)
        return IDV_OK;
    return idv_fail(IDV_E_FORMAT, "%s: has no organization",
                    idv_cert_subject(cert));
}

static idv_rc put_signer(struct tool *t, const struct kind *k, const char *name,
                         struct idv_buf *out)
{
    char now[IDV_TIME_TEXT];
    IDV_TRY(idv_time_to_text(idv_now(t->env), now));
    IDV_TRY(idv_buf_puts(out, "[signer]\n"));
    IDV_TRY(tool_init_put_key(out, masa_opt.token, "key", name));
    IDV_TRY(idv_buf_putf(out, "certificate = %s.pem\nfrom = %s\n", name,
                         masa_opt.from ? masa_opt.from : now));
    return k->use ? idv_buf_putf(out, "use = %s\n", k->use) : IDV_OK;
}

/* the file is the last: with it the key is complete */
static idv_rc write_signer(struct tool *t, const char *dir,
                           const struct kind *k, const char *name)
{
    IDV_AUTO(buf) text = {0};
    char file[64];
    IDV_TRY(put_signer(t, k, name, &text));
    snprintf(file, sizeof(file), "%s.ini", name);
    return tool_init_file(t, dir, file, &text);
}

static idv_rc roll(struct tool *t, const char *dir, const struct kind *k,
                   struct tool_authority *issuer, struct tool_authority *made)
{
    char organization[128], name[48];
    struct tool_init in = {.token_uri = masa_opt.token,
                           .dir = dir,
                           .organization = organization,
                           .type = masa_opt.type,
                           .names = masa_opt.names};
    IDV_TRY(tool_authority_open(masa_opt.token, dir, k->issuer, issuer));
    IDV_TRY(organization_of(issuer->cert, organization));
    IDV_TRY(next_name(dir, k, name));
    IDV_TRY(tool_init_authority(t, &in, name, k->title, k->cert, k->years,
                                issuer, made));
    return is_signer(k) ? write_signer(t, dir, k, name) : IDV_OK;
}

idv_rc masa_rollover(struct tool *t, int argc, char **argv)
{
    struct tool_authority issuer = {0}, made = {0};
    const struct kind *k = NULL;
    (void)argc;
    if (!masa_opt.token)
        return idv_fail(IDV_E_ARG, "rollover: --device URI is needed");
    IDV_TRY(kind_of(argv[1], &k));
    if (masa_opt.from && !is_signer(k))
        return idv_fail(IDV_E_ARG, "rollover: --from is of signers");
    if (masa_opt.from)
        IDV_TRY(masa_check_time(masa_opt.from));
    idv_rc rc = roll(t, argv[0], k, &issuer, &made);
    tool_authority_free(&issuer);
    tool_authority_free(&made);
    return rc;
}
