/* SPDX-License-Identifier: Apache-2.0 */
/* A device that does not stand well with its maker gets no voucher. */
#include <stdio.h>

#include "idevid/masa/masa_call.h"

static const struct {
    const char *why, *text;
} noes[] = {
    [IDV_STANDING_NORMAL] = {"", ""},
    [IDV_STANDING_BLOCKED] = {"device-blocked", "device is blocked"},
    [IDV_STANDING_STOLEN] = {"device-stolen", "device is reported stolen"},
    [IDV_STANDING_TRANSFERRED] = {"device-transferred",
                                  "device was given away; its new owner has to "
                                  "claim it"},
    [IDV_STANDING_RETIRED] = {"device-retired", "device is retired"},
    [IDV_STANDING_END_OF_LIFE] = {"device-end-of-life",
                                  "device is at the end of its life"},
};
#define NOES (sizeof(noes) / sizeof(*noes))

static idv_rc with_reason(struct idvi_masa_call *c)
{
    if (!c->masa->conf.tell_reason || !c->device.reason[0])
        return IDV_E_REJECT;
    snprintf(c->told, sizeof(c->told), "%s: %s", c->no.text, c->device.reason);
    c->no.text = c->told;
    return IDV_E_REJECT;
}

/* R-M-35: the reason is people's, for the log; others read it by option. */
idv_rc idvi_masa_standing(struct idvi_masa_call *c)
{
    size_t s = (size_t)c->device.standing;
    if (s == IDV_STANDING_NORMAL)
        return IDV_OK;
    if (s >= NOES) /* of a later program: what it means is not known here */
        s = IDV_STANDING_BLOCKED;
    idv_note_clear();
    if (c->device.reason[0])
        (void)!idv_fail(IDV_E_REJECT, "%s", c->device.reason);
    (void)!idvi_refuse(&c->no, 403, noes[s].why, noes[s].text);
    return with_reason(c);
}
