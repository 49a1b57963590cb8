/* SPDX-License-Identifier: Apache-2.0 */
/* The LDevID as files for other programs, replaced all at once. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "ca.h"
#include "ldevid.h"
#include "pledge_crl.h"
#include "pledge_event.h"

/* DIR/current is a link to one of two directories: the new set is made in the
 * other one, then the link is replaced. Who has opened files of the old set
 * finds them until the next time. */
#define LINK "current"
static const char *const slots[] = {"set.0", "set.1"};

/* --- what is in them ------------------------------------------------------ */

/* of a key in a file of ours, the file; of others, one that names it */
static idv_rc key_file(const struct state *of, const char *uri,
                       struct idv_buf *out)
{
    char path[1024];
    if (!ldevid_is_bound(uri))
        return idv_key_wrap(uri, out);
    IDV_TRY(ldevid_path(of, uri, path));
    return idv_fs_read(path, 0, out);
}

static idv_rc put_setting(struct idv_buf *out, const char *name,
                          const char *value)
{
    return value ? idv_buf_putf(out, "%s = %s\n", name, value) : IDV_OK;
}

static idv_rc openssl_cnf(const struct tool_device_conf *d, struct idv_buf *out)
{
    IDV_TRY(idv_buf_putf(
        out, "%s",
        "# Lets OpenSSL use the key in key.pem: OPENSSL_CONF=this file, or\n"
        "# the same sections in /etc/ssl/openssl.cnf.\n"
        "openssl_conf = openssl_init\n\n"
        "[openssl_init]\nproviders = providers\nalg_section = algorithms\n\n"
        "[providers]\ndefault = default_provider\nhwkey = hwkey_provider\n\n"
        "[default_provider]\nactivate = 1\n\n"
        "[hwkey_provider]\nactivate = 1\n"));
    IDV_TRY(put_setting(out, "pkcs11-module", d->pkcs11_module));
    IDV_TRY(put_setting(out, "tcti", d->tcti));
    IDV_TRY(put_setting(out, "salt-key", d->salt_key));
    IDV_TRY(put_setting(out, "pin-source", d->pin_file));
    return idv_buf_putf(out, "%s",
                        "\n[algorithms]\n"
                        "default_properties = ?provider=default\n");
}

/* the certificates above the LDevID */
static idv_rc chain_pem(const STACK_OF(X509) * ldevid, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_certs) above = idv_certs_dup(ldevid);
    if (!above)
        return idv_fail(IDV_E_NOMEM, "output");
    X509_free(sk_X509_shift(above));
    return sk_X509_num(above) ? idv_certs_to_pem(above, out) : IDV_OK;
}

static idv_rc one_pem(X509 *cert, struct idv_buf *out)
{
    IDV_AUTO_PTR(idv_certs) one = sk_X509_new_null();
    if (!one || X509_up_ref(cert) != 1)
        return idv_fail(IDV_E_NOMEM, "output");
    if (!sk_X509_push(one, cert)) {
        X509_free(cert);
        return idv_fail(IDV_E_NOMEM, "output");
    }
    return idv_certs_to_pem(one, out);
}

struct set {
    struct idv_buf cert, chain, fullchain, anchors, uri, key, cnf;
    struct pledge_crl crl;
};

static void set_free(struct set *s)
{
    struct idv_buf *all[] = {&s->cert, &s->chain, &s->fullchain, &s->anchors,
                             &s->uri,  &s->key,   &s->cnf};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        idv_buf_free(all[i]);
    pledge_crl_free(&s->crl);
}

static idv_rc fill(const struct state *of, const struct idv_enrollment *e,
                   struct set *s)
{
    IDV_TRY(one_pem(sk_X509_value(e->ldevid, 0), &s->cert));
    IDV_TRY(chain_pem(e->ldevid, &s->chain));
    IDV_TRY(idv_certs_to_pem(e->ldevid, &s->fullchain));
    IDV_TRY(idv_certs_to_pem(e->anchors, &s->anchors));
    IDV_TRY(idv_buf_putf(&s->uri, "%s\n", e->key_uri));
    IDV_TRY(key_file(of, e->key_uri, &s->key));
    IDV_TRY(pledge_crl_look(of, &s->crl));
    return openssl_cnf(&of->conf->device, &s->cnf);
}

/* --- where they go -------------------------------------------------------- */

static idv_rc find_group(const char *name, gid_t *gid)
{
    const struct group *g = name ? getgrnam(name) : NULL;
    if (name && !g)
        return idv_fail(IDV_E_ARG, "enroll.group: there is no group '%s'",
                        name);
    *gid = g ? g->gr_gid : (gid_t)-1;
    return IDV_OK;
}

static idv_rc make_directory(const char *path)
{
    IDV_TRY(idv_fs_mkdir(path, 0755));
    if (chmod(path, 0755) != 0) /* whatever the umask */
        return idv_fail(IDV_E_IO, "%s: %s", path, strerror(errno));
    return IDV_OK;
}

/* With a group: for it; otherwise for root alone. */
static idv_rc write_key(const char *slot, struct idv_bytes pem, gid_t gid)
{
    char path[1024];
    IDV_TRY(tool_path(slot, "key.pem", "", path));
    IDV_TRY(idv_fs_write(path, pem, 0600));
    if (gid == (gid_t)-1)
        return IDV_OK;
    if (chown(path, (uid_t)-1, gid) != 0 || chmod(path, 0640) != 0)
        return idv_fail(IDV_E_IO, "%s: %s", path, strerror(errno));
    return IDV_OK;
}

static idv_rc write_set(const char *slot, const struct set *s, gid_t gid)
{
    const struct {
        const char *name;
        const struct idv_buf *data;
    } files[] = {
        {"cert.pem", &s->cert},
        {"chain.pem", &s->chain},
        {"fullchain.pem", &s->fullchain},
        {"anchors.pem", &s->anchors},
        {"ca.crl.pem", &s->crl.pem}, /* if there is one */
        {"key.uri", &s->uri},
        {"openssl.cnf", &s->cnf},
    };
    char path[1024];
    IDV_TRY(make_directory(slot));
    IDV_TRY(idv_fs_sweep(slot, ""));
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        if (files[i].data->n == 0)
            continue;
        IDV_TRY(tool_path(slot, files[i].name, "", path));
        IDV_TRY(idv_fs_write(path, idv_view(files[i].data), 0644));
    }
    IDV_TRY(write_key(slot, idv_view(&s->key), gid));
    return idv_fs_sync(slot);
}

static idv_rc point_to(const char *dir, const char *slot)
{
    char link[1024], temp[1024];
    IDV_TRY(tool_path(dir, LINK, "", link));
    IDV_TRY(tool_path(dir, LINK, IDV_FS_TEMP, temp));
    IDV_TRY(idv_fs_remove(temp));
    if (symlink(slot, temp) != 0)
        return idv_fail(IDV_E_IO, "%s: %s", temp, strerror(errno));
    return idv_fs_rename(temp, link);
}

/* The one that the link does not name. */
static const char *free_slot(const char *dir)
{
    char link[1024], target[32] = "";
    if (tool_path(dir, LINK, "", link) != IDV_OK)
        return slots[0];
    const ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n > 0)
        target[n] = 0;
    return strcmp(target, slots[0]) == 0 ? slots[1] : slots[0];
}

/* --- is it so already? ---------------------------------------------------- */

static bool file_is(const char *dir, const char *name, const struct idv_buf *b)
{
    IDV_AUTO(buf) now = {0};
    char path[1024];
    bool same =
        tool_path(dir, name, "", path) == IDV_OK &&
        (idv_fs_exists(path) ? idv_fs_read(path, b->n + 1, &now) == IDV_OK &&
                                   idv_bytes_eq(idv_view(&now), idv_view(b))
                             : b->n == 0);
    idv_note_clear();
    return same;
}

static bool is_current(const char *dir, const struct set *s)
{
    char current[1024];
    return tool_path(dir, LINK, "", current) == IDV_OK &&
           file_is(current, "fullchain.pem", &s->fullchain) &&
           file_is(current, "anchors.pem", &s->anchors) &&
           file_is(current, "ca.crl.pem", &s->crl.pem) &&
           file_is(current, "key.pem", &s->key) &&
           file_is(current, "key.uri", &s->uri) &&
           file_is(current, "openssl.cnf", &s->cnf);
}

/* --- both ways ------------------------------------------------------------ */

static idv_rc put_out(const char *dir, const char *group, const struct set *s)
{
    char slot[1024];
    gid_t gid = (gid_t)-1;
    const char *name = free_slot(dir);
    IDV_TRY(find_group(group, &gid));
    IDV_TRY(make_directory(dir));
    IDV_TRY(tool_path(dir, name, "", slot));
    IDV_TRY(write_set(slot, s, gid));
    return point_to(dir, name);
}

static idv_rc take_away(const char *dir)
{
    char path[1024];
    if (!idv_fs_exists(dir))
        return IDV_OK;
    IDV_TRY(tool_path(dir, LINK, "", path));
    IDV_TRY(idv_fs_remove(path));
    for (size_t i = 0; i < sizeof(slots) / sizeof(*slots); i++) {
        IDV_TRY(tool_path(dir, slots[i], "", path));
        IDV_TRY(idv_fs_sweep(path, ""));
        IDV_TRY(idv_fs_rmdir(path));
    }
    return idv_fs_sync(dir);
}

idv_rc pledge_output(const struct state *of)
{
    const char *dir = of->conf->output;
    const struct idv_enrollment *e =
        of->trust ? idv_trust_enrollment(of->trust) : NULL;
    struct set s = {0};
    if (!dir)
        return IDV_OK;
    if (!e)
        return take_away(dir);
    idv_rc rc = fill(of, e, &s);
    if (rc == IDV_OK && !is_current(dir, &s))
        rc = put_out(dir, of->conf->group, &s);
    set_free(&s);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "enroll.output");
}
