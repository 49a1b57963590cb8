/* SPDX-License-Identifier: Apache-2.0 */
/* The LDevID key: where it is made, which one is in use, what is left over. */
#ifndef TOOL_LDEVID_H
#define TOOL_LDEVID_H

#include "state.h"

/*
 * A key bound to the anchor lives in DIR/ldevid-GENERATION-N.pem, encrypted by
 * the TPM: the enrollment names the one in use, and the one with the next N is
 * there while a certificate for it is asked for. Otherwise the key is in the
 * device, at [ldevid] key.
 */

/* Are keys made from now on bound to the anchor ([anchor] bind-ldevid)?
 * IDV_E_ARG: they are to be, and cannot. */
idv_rc ldevid_bound(const struct state *s, bool *bound) IDV_CHECKED;

/* Is the key of this URI? */
bool ldevid_is_bound(const char *uri);
/* Its file. IDV_E_ARG: it is none of ours. */
idv_rc ldevid_path(const struct state *s, const char *uri,
                   char out[static 1024]) IDV_CHECKED;

/* For struct idv_pledge_conf, with the struct state as their argument. A key
 * left by a join or renewal that was cut is used, unless it is of another
 * type. */
idv_rc ldevid_make(void *state, enum idv_key_type type, EVP_PKEY **key,
                   char uri[static 512]) IDV_CHECKED;
idv_rc ldevid_open(void *state, const char *uri, EVP_PKEY **key) IDV_CHECKED;

/* Is a renewal to ask for a certificate of a new key ([enroll] key)? One that
 * is not bound is made at the other of two places then. IDV_E_ARG: it is to,
 * and ldevid.key names one place only. */
idv_rc ldevid_renewed(const struct state *s, bool *new_key) IDV_CHECKED;

/* Removes files of keys that are neither in use nor asked for: of generations
 * that are over, and the one before a renewal, once the new one was used. */
idv_rc ldevid_tidy(const struct state *s) IDV_CHECKED;

/* The keys that there are certificates for. */
struct ldevid_keys {
    char uri[2][512]; /* of the present and the previous enrollment; "" */
};
void ldevid_keys(const struct state *s, struct ldevid_keys *out);
/* Those of before that there is no certificate for any more go. */
idv_rc ldevid_retire(const struct state *s,
                     const struct ldevid_keys *before) IDV_CHECKED;
/* All go: uri, what is at [ldevid] key or either place, and the files. */
idv_rc ldevid_erase(const struct state *s, const char *uri) IDV_CHECKED;

#endif
