/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's CAs: the one without a label, and those of label files. */
#ifndef TOOL_REGISTRAR_LABELS_H
#define TOOL_REGISTRAR_LABELS_H

#include "registrar_conf.h"

struct registrar_label {
    struct label_conf conf;
    struct registrar_ca ca;
};

struct registrar_cas {
    struct registrar_ca ca;
    struct registrar_label *labels;
    struct idv_registrar_ca *table; /* of labels, for the role */
    size_t n;
};

/* Opens all that the configuration names; cleared by the caller, also when it
 * fails. */
idv_rc registrar_cas_open(struct registrar_cas *c,
                          const struct idv_env *env) IDV_CHECKED;
/* Fills ca, labels and n_labels; c must stay where it is. */
idv_rc registrar_cas_use(struct registrar_cas *c, struct idv_db *db,
                         const struct registrar_identity *us,
                         struct idv_registrar_conf *out) IDV_CHECKED;
/* Adds a row for each of them: what signs, and until when. */
idv_rc registrar_cas_keys(const struct registrar_cas *c,
                          struct idv_json *keys) IDV_CHECKED;
void registrar_cas_clear(struct registrar_cas *c);

#endif
