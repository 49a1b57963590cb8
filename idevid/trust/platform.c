/* SPDX-License-Identifier: Apache-2.0 */
/* Counter and anchor that a factory made: found, checked, authorised. */
#include <string.h>

#include <idevid/auto.h>

#include "trust/anchor.h"
#include "trust/anchor_platform.h"
#include "x509/x509.h"

#define WRITTEN IDV_NV_WRITTEN

idv_rc idvi_platform_init(struct idvi_platform *p, struct idv_device *dev,
                          const struct idv_anchor_conf *conf)
{
    if (!conf->approval_key || !conf->serial)
        return idv_fail(IDV_E_ARG, "anchor: profile platform needs the maker's "
                                   "approval key and the serial number");
    p->dev = dev;
    EVP_PKEY_up_ref(conf->approval_key);
    p->verifier = conf->approval_key;
    p->counter = conf->counter ? conf->counter : IDV_ANCHOR_PLATFORM_COUNTER;
    IDV_TRY(
        idvi_anchor_handle(conf->uri, IDV_ANCHOR_PLATFORM_INDEX, &p->anchor));
    IDV_TRY(idv_approval_ref(conf->serial, &p->ref));
    IDV_TRY(idv_approval_guard(conf->approval_key, &p->ref, &p->guard));
    return idvi_spki(conf->approval_key, &p->key);
}

void idvi_platform_free(struct idvi_platform *p)
{
    idv_buf_free(&p->key);
    EVP_PKEY_free(p->verifier);
    free(p);
}

/* --- what is there -------------------------------------------------------- */

static idv_rc reject(const struct hwk_nv *nv, bool counter, const char *what)
{
    return idv_fail(IDV_E_REJECT, "platform %s 0x%08x: %s",
                    counter ? "counter" : "anchor", (unsigned)nv->index, what);
}

static idv_rc check_index(const struct idvi_platform *p, bool counter,
                          const struct hwk_nv *nv)
{
    const uint32_t want = (counter ? IDV_PLATFORM_COUNTER_ATTRIBUTES
                                   : IDV_PLATFORM_ANCHOR_ATTRIBUTES | WRITTEN);
    if (!(nv->attributes & IDVI_NV_PLATFORMCREATE))
        return reject(nv, counter,
                      "not made by the platform, so not at the "
                      "factory");
    if ((nv->attributes | WRITTEN) != want || nv->name_alg != IDVI_ALG_SHA256 ||
        nv->size != (counter ? 8 : IDV_RECORD_SIZE))
        return reject(nv, counter, "its attributes are not those of one");
    if (nv->policy_n != sizeof(p->guard.policy) ||
        memcmp(nv->policy, p->guard.policy, nv->policy_n) != 0)
        return reject(nv, counter,
                      "made for another approval key or another "
                      "serial number than configured");
    return IDV_OK;
}

idv_rc idvi_platform_index(struct idvi_platform *p, bool counter, bool *found,
                           struct hwk_nv *out)
{
    struct hwk_nv nv;
    IDV_TRY(idvi_nv_look(p->dev, counter ? p->counter : p->anchor, found, &nv,
                         NULL));
    if (!*found)
        return IDV_OK;
    IDV_TRY(check_index(p, counter, &nv));
    *out = nv;
    return IDV_OK;
}

static idv_rc need_index(struct idvi_platform *p, bool counter,
                         struct hwk_nv *out)
{
    bool found;
    IDV_TRY(idvi_platform_index(p, counter, &found, out));
    if (found)
        return IDV_OK;
    *out = (struct hwk_nv){.index = counter ? p->counter : p->anchor};
    return reject(out, counter,
                  "there is none: the factory made none, or the "
                  "platform took it away");
}

static idv_rc read_counter(struct idvi_platform *p, bool last,
                           struct idvi_platform_seen *s)
{
    uint8_t raw[8];
    bool found;
    IDV_TRY((last ? idvi_nv_read_last : idvi_nv_read)(p->dev, &s->counter,
                                                      &found, raw, NULL));
    if (!found)
        return reject(&s->counter, true,
                      "never incremented: the factory did "
                      "not finish");
    s->value = 0;
    for (size_t i = 0; i < sizeof(raw); i++)
        s->value = s->value << 8 | raw[i];
    return IDV_OK;
}

static idv_rc read_both(struct idvi_platform *p, bool last,
                        struct idvi_platform_seen *s)
{
    const bool written = s->anchor.attributes & WRITTEN;
    IDV_TRY(read_counter(p, last && !written, s));
    return (last ? idvi_nv_read_last : idvi_nv_read)(
        p->dev, &s->anchor, &s->written, s->record, NULL);
}

static idv_rc look(struct idvi_platform *p, bool last,
                   struct idvi_platform_seen *s)
{
    IDV_TRY(need_index(p, true, &s->counter));
    IDV_TRY(need_index(p, false, &s->anchor));
    return read_both(p, last, s);
}

static idv_rc found(struct idvi_platform *p, idv_rc rc,
                    const struct idvi_platform_seen *s,
                    struct idvi_platform_seen *out)
{
    p->looked = rc == IDV_OK;
    if (p->looked)
        *out = p->last = *s;
    return rc;
}

idv_rc idvi_platform_look(struct idvi_platform *p, bool last,
                          struct idvi_platform_seen *out)
{
    struct idvi_platform_seen s = {.written = false};
    IDV_TRY(idvi_nv_enter(p->dev, NULL));
    idv_rc rc = look(p, last, &s);
    idvi_nv_leave(p->dev);
    return found(p, rc, &s, out);
}

/* An anchor that was never written could have been since: nothing is read that
 * would prove the contrary. */
static idv_rc look_again(struct idvi_platform *p, struct idvi_platform_seen *s)
{
    s->counter = p->last.counter;
    s->anchor = p->last.anchor;
    if (!p->last.written)
        IDV_TRY(need_index(p, false, &s->anchor));
    IDV_TRY(read_both(p, false, s));
    return s->written || !p->last.written ? IDV_OK : IDV_E_REJECT;
}

idv_rc idvi_platform_look_again(struct idvi_platform *p,
                                struct idvi_platform_seen *out)
{
    struct idvi_platform_seen s = {.written = false};
    if (p->looked && look_again(p, &s) == IDV_OK)
        return found(p, IDV_OK, &s, out);
    idv_note_clear();
    return idvi_platform_look(p, false, out);
}

idv_rc idvi_platform_look_back(struct idvi_platform *p,
                               const struct idvi_platform_seen *s,
                               struct idvi_platform_seen *out)
{
    struct idvi_platform_seen now = {.anchor = s->anchor,
                                     .counter = s->counter};
    now.anchor.attributes |= WRITTEN;
    idvi_nv_name(&now.anchor);
    return found(p, read_both(p, true, &now), &now, out);
}

/* --- by approval ---------------------------------------------------------- */

#define VIEW(array) ((struct hwk_view){(array), sizeof(array)})

static const struct idv_approval_signature *
signature_of(const struct idv_approval *a, enum idv_approval_step step)
{
    return step == IDV_APPROVE_WRITE  ? &a->write
           : step == IDV_APPROVE_FUSE ? &a->fuse
                                      : &a->reset;
}

/* as the TPM has them now: what was approved is refused if it is not the same
 */
static void request_of(const struct idvi_platform *p,
                       const struct idvi_platform_seen *s,
                       struct idv_approval_request *r)
{
    r->generation = p->approval.generation;
    r->anchor.index = p->anchor;
    r->counter.index = p->counter;
    memcpy(r->anchor.name, s->anchor.name, sizeof(r->anchor.name));
    memcpy(r->counter.name, s->counter.name, sizeof(r->counter.name));
}

struct satisfied {
    uint8_t value[8], policy[IDVI_DIGEST], cphash[IDVI_DIGEST];
    struct hwk_policy_step steps[4];
};

static idv_rc satisfy(const struct idvi_platform *p,
                      const struct idvi_platform_seen *s,
                      enum idv_approval_step step, struct satisfied *out)
{
    struct idv_approval_request r;
    uint8_t raw[IDV_RECORD_SIZE];
    const struct idv_approval_signature *sig = signature_of(&p->approval, step);
    idv_record_to_bytes(&p->record, raw);
    request_of(p, s, &r);
    IDV_TRY(idv_approval_policy(step, &r, raw, out->policy));
    IDV_TRY(idvi_nv_write_cphash(r.anchor.name, idv_bytes(raw, sizeof(raw)), 0,
                                 out->cphash));
    idvi_approval_counter(idvi_approval_value(step, r.generation), out->value);
    out->steps[0] = (struct hwk_policy_step){.code = IDVI_CC_POLICY_NV,
                                             .handle = p->counter,
                                             .op = IDVI_EO_EQ,
                                             .operand = VIEW(out->value)};
    out->steps[1] =
        step == IDV_APPROVE_WRITE
            ? (struct hwk_policy_step){.code = IDVI_CC_POLICY_CPHASH,
                                       .operand = VIEW(out->cphash)}
            : (struct hwk_policy_step){.code = IDVI_CC_POLICY_COMMAND,
                                       .command = IDVI_CC_NV_INCREMENT};
    out->steps[2] = (struct hwk_policy_step){.code = IDVI_CC_POLICY_AUTHORIZE,
                                             .operand = VIEW(out->policy),
                                             .key = {p->key.p, p->key.n},
                                             .ref = {p->ref.p, p->ref.n},
                                             .signature = {sig->p, sig->n}};
    out->steps[3] = (struct hwk_policy_step){
        .code = IDVI_CC_POLICY_OR,
        .branches = {VIEW(p->guard.branches[0]), VIEW(p->guard.branches[1])},
        .branches_n = 2};
    return IDV_OK;
}

idv_rc idvi_platform_step(struct idvi_platform *p,
                          const struct idvi_platform_seen *seen,
                          enum idv_approval_step step)
{
    uint8_t raw[IDV_RECORD_SIZE];
    struct satisfied s;
    if (!p->approved)
        return idv_fail(IDV_E_REJECT, "platform anchor: nothing that the maker "
                                      "approved is at hand");
    IDV_TRY(satisfy(p, seen, step, &s));
    const struct hwk_nv_by by = {.steps = s.steps, .n = 4};
    if (step != IDV_APPROVE_WRITE)
        return idvi_nv_increment(p->dev, &seen->counter, &by, NULL);
    idv_record_to_bytes(&p->record, raw);
    return idvi_nv_write(p->dev, &seen->anchor, &by,
                         idv_bytes(raw, sizeof(raw)), NULL);
}
