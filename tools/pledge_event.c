/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from a change of what the device belongs to: files for other
 * programs, then the administrator's hooks. */
#include <stdio.h>
#include <string.h>

#include <idevid/fs.h>

#include "hooks.h"
#include "pledge_event.h"

#define VARIABLES 11

struct environment {
    char text[VARIABLES][1100];
    char *list[VARIABLES + 1];
    size_t n;
};

static void add(struct environment *e, const char *name, const char *value,
                const char *more)
{
    if (!value || !*value || e->n >= VARIABLES)
        return;
    snprintf(e->text[e->n], sizeof(e->text[0]), "%s=%s%s", name, value, more);
    e->list[e->n] = e->text[e->n];
    e->list[++e->n] = NULL;
}

static bool has_crl(const char *dir)
{
    char path[1100];
    snprintf(path, sizeof(path), "%s/current/ca.crl.pem", dir ? dir : "");
    return dir && idv_fs_exists(path);
}

static void add_files(struct environment *e, const char *dir)
{
    add(e, "IDEVID_DIRECTORY", dir, "/current");
    add(e, "IDEVID_CERTIFICATE", dir, "/current/cert.pem");
    add(e, "IDEVID_FULLCHAIN", dir, "/current/fullchain.pem");
    add(e, "IDEVID_ANCHORS", dir, "/current/anchors.pem");
    add(e, "IDEVID_KEY", dir, "/current/key.pem");
    add(e, "IDEVID_OPENSSL_CONF", dir, "/current/openssl.cnf");
    if (has_crl(dir))
        add(e, "IDEVID_CRL", dir, "/current/ca.crl.pem");
}

static void run_hooks(const struct state *s, const char *event)
{
    struct environment e = {.n = 0};
    const struct idv_enrollment *now =
        s->trust ? idv_trust_enrollment(s->trust) : NULL;
    add(&e, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "");
    add(&e, "IDEVID_EVENT", event, "");
    if (now) {
        add(&e, "IDEVID_KEY_URI", now->key_uri, "");
        add(&e, "IDEVID_REGISTRAR", now->registrar, "");
        add_files(&e, s->conf->output);
    }
    tool_hooks_run(s->t->env, s->conf->hooks, (int)s->conf->hook_seconds,
                   e.list);
}

idv_rc pledge_event(const struct state *s, const char *event)
{
    idv_rc rc = pledge_output(s);
    if (rc == IDV_OK)
        run_hooks(s, event);
    return rc;
}
