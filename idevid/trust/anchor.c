/* SPDX-License-Identifier: Apache-2.0 */
/* Where the record is kept: which kind it is, and with what. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "key/key.h"
#include "trust/anchor.h"

/* PCRs that change without ending a policy that names them (Part 2, TPM_PT_PCR:
 * no increment), and those that no TPM has */
#define PCRS_UNFIT 0xffe10000u

static idv_rc check(const struct idv_anchor_conf *conf, bool tpm)
{
    const bool token = conf->profile == IDV_ANCHOR_TOKEN;
    if (conf->profile != IDV_ANCHOR_AUTO && token == tpm)
        return idv_fail(IDV_E_ARG, "anchor: that profile is not for a %s",
                        tpm ? "TPM" : "token");
    if ((conf->cap | conf->gate) & PCRS_UNFIT)
        return idv_fail(IDV_E_ARG, "anchor: PCRs 16 and 21 to 23 end no policy "
                                   "when they change");
    if (conf->cap & (conf->cap - 1))
        return idv_fail(IDV_E_ARG, "anchor: more than one PCR as its cap");
    return IDV_OK;
}

/* What a factory made is not passed over. */
static idv_rc open_tpm(struct idv_device *dev,
                       const struct idv_anchor_conf *conf,
                       struct idv_anchor *out)
{
    bool platform = conf->profile == IDV_ANCHOR_PLATFORM;
    if (conf->profile == IDV_ANCHOR_AUTO)
        IDV_TRY(idvi_anchor_platform_is_there(dev, conf, &platform));
    return platform ? idvi_anchor_platform(dev, conf, out)
                    : idvi_anchor_owner(dev, conf, out);
}

idv_rc idv_anchor_open(struct idv_device *dev,
                       const struct idv_anchor_conf *conf,
                       struct idv_anchor *out)
{
    static const struct idv_anchor_conf defaults;
    struct idv_device_info info = {0};
    const bool tpm = idvi_device_is_tpm(dev);
    if (!conf)
        conf = &defaults;
    IDV_TRY(check(conf, tpm));
    if (tpm)
        return open_tpm(dev, conf, out);
    IDV_TRY(idv_device_info(dev, &info));
    return idvi_anchor_token(dev, &info, conf, out);
}

void idv_anchor_close(struct idv_anchor *a)
{
    if (a->ops && a->ops->close)
        a->ops->close(a->self);
    memset(a, 0, sizeof(*a));
}

idv_rc idvi_anchor_handle(const char *uri, uint32_t fallback, uint32_t *out)
{
    static const char prefix[] = "tpm2:handle=0x";
    if (!uri) {
        *out = fallback;
        return IDV_OK;
    }
    char *end = NULL;
    unsigned long n = 0;
    if (strncasecmp(uri, prefix, sizeof(prefix) - 1) == 0)
        n = strtoul(uri + sizeof(prefix) - 1, &end, 16);
    if (!end || *end || n >> 24 != 0x01)
        return idv_fail(IDV_E_ARG, "anchor: '%.60s' names no NV index", uri);
    *out = (uint32_t)n;
    return IDV_OK;
}
