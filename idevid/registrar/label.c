/* SPDX-License-Identifier: Apache-2.0 */
/* CA labels in EST's paths (RFC 7030 section 3.2.2). */
#include <string.h>

#include "idevid/registrar/registrar_call.h"

#define EST "/.well-known/est/"
#define LABEL_MAX 63

static bool is_operation(const char *label)
{
    static const char *const names[] = {
        "cacerts", "csrattrs",     "simpleenroll", "simplereenroll",
        "fullcmc", "serverkeygen", "ca",           NULL};
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(names[i], label) == 0)
            return true;
    }
    return false;
}

static bool is_label(const char *label)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~";
    const size_t n = strspn(label, unreserved);
    return n > 0 && n <= LABEL_MAX && !label[n] && label[0] != '.';
}

idv_rc idvi_reg_check_labels(const struct idv_registrar_conf *conf)
{
    for (size_t i = 0; i < conf->n_labels; i++) {
        const char *label = conf->labels[i].label;
        if (!label || !is_label(label) || is_operation(label))
            return idv_fail(IDV_E_ARG, "label '%.63s': cannot be one",
                            label ? label : "");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(label, conf->labels[j].label) == 0)
                return idv_fail(IDV_E_ARG, "label '%s': there are two", label);
        }
    }
    return IDV_OK;
}

static const struct idv_registrar_ca *find(const struct idv_registrar_conf *c,
                                           const char *label, size_t n)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        if (strlen(c->labels[i].label) == n &&
            memcmp(c->labels[i].label, label, n) == 0)
            return &c->labels[i];
    }
    return NULL;
}

idv_rc idvi_reg_label(struct idvi_reg_call *c)
{
    char *label = c->call->req.path + strlen(EST);
    char *end = strchr(label, '/');
    if (!end)
        return IDV_OK;
    c->ca = find(&c->reg->conf, label, (size_t)(end - label));
    if (!c->ca)
        return idvi_refuse(&c->no, 404, "label", "not found");
    memmove(label, end + 1, strlen(end + 1) + 1);
    if (strchr(label, '/'))
        return idvi_refuse(&c->no, 404, "path", "not found");
    return IDV_OK;
}
