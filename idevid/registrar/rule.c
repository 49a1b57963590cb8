/* SPDX-License-Identifier: Apache-2.0 */
/* One rule on who is welcome: its words, and whether it is about a device. */
#include <string.h>

#include "idevid/registrar/registrar.h"

static const char *const actions[] = {"allow", "deny", "ask"};

const char *idv_rule_action_to_text(enum idv_rule_action a)
{
    return (unsigned)a < 3 ? actions[a] : "unknown";
}

idv_rc idv_rule_action_from_text(const char *text, enum idv_rule_action *out)
{
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, actions[i]) == 0) {
            *out = (enum idv_rule_action)i;
            return IDV_OK;
        }
    }
    return idv_fail(IDV_E_ARG, "rule: '%.32s' is not allow, deny or ask", text);
}

/* "*" takes as little as it can, and one more each time the rest does not fit:
 * only the last one need be thought of again, so that no pattern takes long. */
static bool fits(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern && (*pattern == '?' || *pattern == *text)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool about(const char *pattern, const char *text)
{
    return !*pattern || fits(pattern, text);
}

bool idv_rule_matches(const struct idv_rule *r, const char *maker,
                      const char *model, const char *serial, int64_t now)
{
    if ((r->not_before && now < r->not_before) ||
        (r->not_after && now > r->not_after))
        return false;
    return about(r->maker, maker) && about(r->model, model) &&
           about(r->serial_number, serial);
}
