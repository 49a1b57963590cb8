/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a token and certificates beside them, made once and kept. */
#ifndef TOOL_CA_H
#define TOOL_CA_H

#include <idevid/x509.h>

#include "tool.h"

/* The URI of an object in the device that device_uri names: type is "private",
 * "cert" or "data". A TPM ("tpm2:", of the environment or the configuration)
 * has handles for private keys of a domain alone, "registrar", "domain-ca" and
 * "domain-ca-N". IDV_E_ARG: another URI, an object that has no place there. */
bool tool_in_tpm(const char *device_uri);
idv_rc tool_object_uri(const char *device_uri, const char *object,
                       const char *type, char out[static 512]) IDV_CHECKED;

/* Makes the key at uri, or opens the one that is there; *made says which
 * (may be NULL). */
idv_rc tool_key(const char *uri, enum idv_key_type type,
                enum idv_key_usage usage, EVP_PKEY **out,
                bool *made) IDV_CHECKED;

/* An authority: its key in the device, its certificate in a file. */
struct tool_authority {
    EVP_PKEY *key;
    X509 *cert;
    STACK_OF(X509) * chain; /* cert, then its issuers */
};
void tool_authority_free(struct tool_authority *a);

/*
 * Opens or creates an authority: key object in the token, certificate DIR/NAME
 * .pem with its chain. issuer NULL: self-signed. A certificate that is there
 * already is kept if it is for this key, and refused otherwise (IDV_E_REJECT).
 */
idv_rc tool_authority_ensure(struct tool *t, const char *token_uri,
                             const char *dir, const char *name,
                             enum idv_key_type type, struct idv_cert_spec *spec,
                             const struct tool_authority *issuer,
                             struct tool_authority *out) IDV_CHECKED;
/* The same for what "init" makes: key and certificate NAME, subject
 * "ORGANIZATION TITLE", valid from yesterday. */
struct tool_init {
    const char *token_uri, *dir, *organization;
    const char *type;         /* of the keys; NULL: P-256 */
    const char *const *names; /* of servers; NULL or empty: loopback */
};
idv_rc tool_init_authority(struct tool *t, const struct tool_init *init,
                           const char *name, const char *title,
                           enum idv_cert_kind kind, int years,
                           const struct tool_authority *issuer,
                           struct tool_authority *out) IDV_CHECKED;
/* What "init" leaves for people to go on with. DIR/NAME: one that is there is
 * theirs, and kept. */
idv_rc tool_init_file(struct tool *t, const char *dir, const char *name,
                      const struct idv_buf *text) IDV_CHECKED;
/* DIR/NAME.pem: what a ends in. */
idv_rc tool_init_anchors(const struct tool_authority *a, const char *dir,
                         const char *name) IDV_CHECKED;
/* "KEY = the URI of OBJECT", for a configuration. */
idv_rc tool_init_put_key(struct idv_buf *out, const char *token_uri,
                         const char *key, const char *object) IDV_CHECKED;
/* Opens one that must be there. */
idv_rc tool_authority_open(const char *token_uri, const char *dir,
                           const char *name,
                           struct tool_authority *out) IDV_CHECKED;

/* DIR/NAME into out; IDV_E_ARG when it is too long. */
idv_rc tool_path(const char *dir, const char *name, const char *suffix,
                 char out[static 1024]) IDV_CHECKED;

/* Signs and verifies 32 random bytes: the private half is there and is the
 * one of cert. IDV_E_REJECT otherwise. */
idv_rc tool_prove_key(EVP_PKEY *key, const X509 *cert,
                      const struct idv_env *env) IDV_CHECKED;

#endif
