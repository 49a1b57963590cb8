/* SPDX-License-Identifier: Apache-2.0 */
/* Values of section [anchor] that are more than words. */
#include <stdlib.h>
#include <string.h>

#include <idevid/text.h>

#include "pledge_conf.h"

static bool number(const char *text, int base, unsigned long max,
                   unsigned long *out)
{
    char *end;
    if (*text < '0' || *text > '9') /* no blank, no sign */
        return false;
    *out = strtoul(text, &end, base);
    return *end == 0 && *out <= max;
}

int anchor_cap_pcr(const char *cap)
{
    unsigned long n;
    return cap && strncmp(cap, "pcr:", 4) == 0 && number(cap + 4, 10, 23, &n)
               ? (int)n
               : -1;
}

uint32_t anchor_gate(char *const *pcrs)
{
    uint32_t bits = 0;
    unsigned long n;
    for (; pcrs && *pcrs; pcrs++) {
        if (number(*pcrs, 10, 23, &n))
            bits |= UINT32_C(1) << n;
    }
    return bits;
}

uint32_t anchor_handle(const char *text)
{
    unsigned long n;
    return text && number(text, 16, UINT32_MAX, &n) ? (uint32_t)n : 0;
}

/* PCRs 16 and 21 to 23 change without ending a policy that names them, so
 * that a session kept from before would stay good. */
static idv_rc check_pcr(const char *text)
{
    unsigned long n;
    if (!number(text, 10, 23, &n))
        return idv_fail(IDV_E_ARG, "'%.20s' is no PCR (0 to 23)", text);
    if (n == 16 || n > 20)
        return idv_fail(IDV_E_ARG,
                        "PCR %lu can be reset by anybody and ends no policy "
                        "when it changes",
                        n);
    return IDV_OK;
}

idv_rc anchor_check_gate(const char *text)
{
    struct idv_bytes rest = idv_str(text), piece;
    char one[24];
    while (idv_text_next(&rest, ", \t", &piece)) {
        if (piece.n == 0)
            continue;
        IDV_TRY(idv_text_copy(one, sizeof(one), piece, "gate-pcrs"));
        IDV_TRY(check_pcr(one));
    }
    return IDV_OK;
}

idv_rc anchor_check_cap(const char *text)
{
    if (strcmp(text, "reboot") == 0)
        return IDV_OK;
    if (strncmp(text, "pcr:", 4) == 0)
        return check_pcr(text + 4);
    return idv_fail(IDV_E_ARG, "'%.20s': reboot or pcr:N", text);
}

idv_rc anchor_check_handle(const char *text)
{
    uint32_t h = anchor_handle(text);
    if (h >> 24 == 0x01)
        return IDV_OK;
    return idv_fail(IDV_E_ARG,
                    "'%.20s' is no NV index (0x01000000 to 0x01FFFFFF)", text);
}
