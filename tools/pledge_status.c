/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-pledge status: what this device belongs to. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>

#include "agent.h"
#include "pledge.h"
#include "pledge_crl.h"

static struct {
    bool pem, anchors;
} opt;

const struct tool_option pledge_status_options[] = {
    {"pem", 0, NULL, "print the LDevID and its chain instead (PEM)", NULL,
     &opt.pem, NULL},
    {"anchors", 0, NULL, "print the domain's trust anchors instead (PEM)", NULL,
     &opt.anchors, NULL},
    {0}};

static idv_rc put(struct tool *t, struct idv_json *o, const char *name,
                  const char *text)
{
    if (o)
        return idv_json_set(o, name, idv_json_new_text(idv_str(text)));
    tool_say(t, "%-12s %s", name, text);
    return IDV_OK;
}

static idv_rc put_pin(struct tool *t, struct idv_json *o,
                      const struct idv_trust *trust)
{
    IDV_AUTO(buf) hex = {0};
    char time[IDV_TIME_TEXT];
    const struct idv_record *r = idv_trust_record(trust);
    if (!r)
        return IDV_OK;
    if (idv_trust_pin(trust))
        IDV_TRY(put(t, o, "pin", idv_cert_subject(idv_trust_pin(trust))));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(r->pin_sha256, 32), &hex));
    IDV_TRY(put(t, o, "pin-sha256", (const char *)hex.p));
    if (!r->time)
        return IDV_OK;
    IDV_TRY(idv_time_to_text((int64_t)r->time, time));
    return put(t, o, "imprinted", time);
}

static idv_rc put_ldevid(struct tool *t, struct idv_json *o,
                         const struct idv_enrollment *e)
{
    int64_t from, to;
    char time[IDV_TIME_TEXT];
    if (!e)
        return IDV_OK;
    const X509 *leaf = sk_X509_value(e->ldevid, 0);
    IDV_TRY(put(t, o, "ldevid", idv_cert_subject(leaf)));
    IDV_TRY(put(t, o, "ldevid-key", e->key_uri));
    IDV_TRY(idv_cert_times(leaf, &from, &to));
    IDV_TRY(idv_time_to_text(to, time));
    IDV_TRY(put(t, o, "valid-until", time));
    return put(t, o, "registrar", e->registrar);
}

/* until when the CRLs are good that its certificates name */
static idv_rc put_crl(struct tool *t, struct idv_json *o, const struct state *s)
{
    char time[IDV_TIME_TEXT] = "none yet";
    struct pledge_crl crl;
    idv_rc rc = pledge_crl_look(s, &crl);
    if (rc == IDV_OK && crl.until)
        rc = idv_time_to_text(crl.until, time);
    if (rc == IDV_OK && crl.wanted)
        rc = put(t, o, "crl-until", time);
    pledge_crl_free(&crl);
    return rc;
}

/* what its state file says: the text members as lines, or all as one member */
static idv_rc put_agent(struct tool *t, struct idv_json *o)
{
    IDV_AUTO_PTR(idv_json) agent = NULL;
    const char *name, *text;
    IDV_TRY(agent_state_read(pledge_configuration.agent_state, &agent));
    if (o && agent)
        return idv_json_set(o, "agent", idv_steal(&agent));
    for (size_t i = 0; i < idv_json_count(agent); i++) {
        text = idv_json_text(idv_json_at(agent, i, &name));
        if (text && strcmp(name, "state") != 0)
            tool_say(t, "agent %-12s %s", name, text);
    }
    return IDV_OK;
}

/* the device refuses keys for now: why nothing else works */
static idv_rc put_lockout(struct tool *t, struct idv_json *o,
                          struct idv_device *dev)
{
    struct idv_device_info info = {0};
    struct idv_tpm_facts f = {0};
    char text[160] = "the PIN is locked";
    IDV_TRY(idv_device_info(dev, &info));
    if (!info.in_lockout)
        return IDV_OK;
    if (info.tpm) {
        IDV_TRY(idv_tpm_facts(dev, &f));
        snprintf(text, sizeof(text),
                 "%u of %u tries have failed, one is forgotten in %u seconds",
                 f.failures, f.max_failures, f.recovery_s);
    }
    return put(t, o, "lockout", text);
}

/* where the maker's voucher says that there is more to configure */
static idv_rc put_more(struct tool *t, struct idv_json *o,
                       const struct idv_trust *trust)
{
    IDV_AUTO(voucher) v;
    idv_voucher_init(&v, IDV_VOUCHER);
    IDV_TRY(idv_trust_voucher(trust, &v));
    if (!v.additional_configuration_url[0])
        return IDV_OK;
    return put(t, o, "configuration", v.additional_configuration_url);
}

static idv_rc status_lines(struct tool *t, struct idv_json *o,
                           const struct state *s)
{
    const struct idv_trust *trust = s->trust;
    IDV_TRY(
        put(t, o, "state", idv_trust_state_to_text(idv_trust_state(trust))));
    IDV_TRY(put(t, o, "assurance", idv_trust_assurance(trust)));
    IDV_TRY(put_pin(t, o, trust));
    IDV_TRY(put_more(t, o, trust));
    IDV_TRY(put_ldevid(t, o, idv_trust_enrollment(trust)));
    IDV_TRY(put_crl(t, o, s));
    IDV_TRY(put_lockout(t, o, s->dev));
    return put_agent(t, o);
}

static idv_rc print_certs(const struct idv_trust *trust)
{
    IDV_AUTO(buf) pem = {0};
    const struct idv_enrollment *e = idv_trust_enrollment(trust);
    if (!e)
        return idv_fail(IDV_E_STATE, "not enrolled");
    IDV_TRY(idv_certs_to_pem(opt.pem ? e->ldevid : e->anchors, &pem));
    return tool_print(idv_view(&pem));
}

idv_rc pledge_status(struct tool *t, int argc, char **argv)
{
    AUTO_PLEDGE struct pledge p = PLEDGE_INIT;
    struct idv_json *o = NULL;
    (void)argc;
    (void)argv;
    IDV_TRY(pledge_start(&p, t, STATE_LOOK));
    if (opt.pem || opt.anchors)
        return print_certs(p.s.trust);
    if (t->json && !(o = idv_json_new_object()))
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = status_lines(t, o, &p.s);
    if (rc == IDV_OK && o)
        return tool_print_json(o);
    idv_json_free(o);
    return rc;
}
