/* SPDX-License-Identifier: Apache-2.0 */
/* What this device belongs to: opened, looked at, closed. */
#include <stdlib.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "trust/trust_priv.h"

const char *idv_trust_state_to_text(enum idv_trust_state s)
{
    static const char *const words[] = {"none", "imprinted", "enrolled"};
    return (unsigned)s < 3 ? words[s] : "unknown";
}

idv_rc idv_trust_open(struct idv_trust_conf *conf, struct idv_trust **out)
{
    struct idv_trust *t = calloc(1, sizeof(*t));
    if (!t)
        return idv_fail(IDV_E_NOMEM, "trust");
    t->anchor = conf->anchor;
    t->env = conf->env;
    t->observe = conf->observe;
    idv_rc rc = idv_text_dup(idv_str(conf->dir), &t->dir);
    if (rc == IDV_OK && !t->observe)
        rc = idv_fs_mkdir(conf->dir, 0700);
    if (rc == IDV_OK)
        rc = idvi_trust_load(t);
    if (rc != IDV_OK) {
        t->anchor = (struct idv_anchor){0};
        idv_trust_close(t);
        return rc;
    }
    conf->anchor = (struct idv_anchor){0};
    *out = t;
    return IDV_OK;
}

void idv_trust_close(struct idv_trust *t)
{
    if (!t)
        return;
    idvi_trust_forget(t);
    idv_anchor_close(&t->anchor);
    free(t->dir);
    free(t);
}

enum idv_trust_state idv_trust_state(const struct idv_trust *t)
{
    return t->state;
}

const char *idv_trust_profile(const struct idv_trust *t)
{
    return t->anchor.ops->profile;
}

const char *idv_trust_assurance(const struct idv_trust *t)
{
    return t->anchor.ops->assurance;
}

const struct idv_record *idv_trust_record(const struct idv_trust *t)
{
    return t->state == IDV_TRUST_NONE ? NULL : &t->record;
}

const char *idv_trust_cut(const struct idv_trust *t)
{
    return t->cut;
}

uint64_t idv_trust_generation(const struct idv_trust *t)
{
    return t->state == IDV_TRUST_NONE ? 0 : t->record.generation;
}

const struct idv_anchor_memo *idv_trust_memo(const struct idv_trust *t)
{
    return t->state == IDV_TRUST_NONE ? NULL : &t->memo;
}

const struct idv_anchor_seen *idv_trust_seen(const struct idv_trust *t)
{
    return &t->seen;
}

idv_rc idv_trust_capped(const struct idv_trust *t, bool *capped)
{
    if (t->state == IDV_TRUST_NONE)
        return idv_fail(IDV_E_STATE, "trust: not imprinted");
    *capped = true;
    return t->anchor.ops->capped
               ? t->anchor.ops->capped(t->anchor.self, &t->memo, capped)
               : IDV_OK;
}

const X509 *idv_trust_pin(const struct idv_trust *t)
{
    return t->pin;
}

struct idv_bytes idv_trust_pin_spki(const struct idv_trust *t)
{
    return idv_view(&t->spki);
}

const struct idv_enrollment *idv_trust_enrollment(const struct idv_trust *t)
{
    return t->state == IDV_TRUST_ENROLLED ? &t->enrollment : NULL;
}

const STACK_OF(X509) * idv_trust_successors(const struct idv_trust *t)
{
    return t->rollover.roots;
}
