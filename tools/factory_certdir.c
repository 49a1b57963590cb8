/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates out of a tree of folders, one folder for each vendor. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "factory_certdir.h"

#define MAX_DEPTH 8
#define MAX_FILE ((size_t)256 << 10)

void certdir_free(struct certdir *d)
{
    idv_certs_free(d->certs);
    for (size_t i = 0; d->vendors && d->vendors[i]; i++)
        free((char *)(uintptr_t)d->vendors[i]);
    free(d->vendors);
    memset(d, 0, sizeof(*d));
}

static bool is_cert_file(const char *name)
{
    static const char *const endings[] = {".pem", ".crt", ".cer", ".der"};
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        if (n > 4 && strcasecmp(name + n - 4, endings[i]) == 0)
            return true;
    }
    return false;
}

static bool has(const STACK_OF(X509) * certs, const X509 *cert)
{
    for (int i = 0; i < sk_X509_num(certs); i++) {
        if (idv_cert_eq(sk_X509_value(certs, i), cert))
            return true;
    }
    return false;
}

static idv_rc add(struct certdir *d, const char *vendor, X509 *cert)
{
    const size_t n = (size_t)sk_X509_num(d->certs);
    if (has(d->certs, cert)) {
        d->twice++;
        return IDV_OK;
    }
    if (!idv_cert_is_ca(cert))
        return idv_fail(IDV_E_REJECT, "'%s' is no CA", idv_cert_subject(cert));
    if (n == CERTDIR_MAX)
        return idv_fail(IDV_E_LIMIT, "more than %d certificates", CERTDIR_MAX);
    d->vendors[n] = strdup(vendor);
    if (!d->vendors[n] || sk_X509_push(d->certs, cert) <= 0)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    X509_up_ref(cert);
    return IDV_OK;
}

static idv_rc add_file(struct certdir *d, const char *vendor, const char *path)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_TRY(idv_fs_read(path, MAX_FILE, &text));
    idv_rc rc = idv_certs_from_pem(idv_view(&text), &certs);
    for (int i = 0; rc == IDV_OK && i < sk_X509_num(certs); i++)
        rc = add(d, vendor, sk_X509_value(certs, i));
    d->files++;
    return rc == IDV_OK ? rc : idv_fail_within(rc, "%s", path);
}

static idv_rc walk(const struct tool *t, struct certdir *d, const char *folder,
                   const char *vendor, int depth);

static idv_rc visit(const struct tool *t, struct certdir *d, const char *folder,
                    const char *name, const char *vendor, int depth)
{
    struct stat st;
    char path[2048];
    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >=
        (int)sizeof(path))
        return idv_fail(IDV_E_LIMIT, "%s: path too long", folder);
    if (lstat(path, &st) != 0)
        return idv_fail(IDV_E_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return walk(t, d, path, depth ? vendor : name, depth + 1);
    if (S_ISREG(st.st_mode) && is_cert_file(name))
        return add_file(d, vendor, path);
    d->others++;
    if (t->verbose)
        fprintf(stderr, "%s: %s: is no certificate's name, left alone\n",
                t->name, path);
    return IDV_OK;
}

static int no_dots(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Sorted by bytes: the same tree gives the same bundle everywhere. */
static idv_rc walk(const struct tool *t, struct certdir *d, const char *folder,
                   const char *vendor, int depth)
{
    struct dirent **list = NULL;
    idv_rc rc = IDV_OK;
    if (depth > MAX_DEPTH)
        return idv_fail(IDV_E_LIMIT, "%s: folders deeper than %d", folder,
                        MAX_DEPTH);
    const int n = scandir(folder, &list, no_dots, by_name);
    if (n < 0)
        return idv_fail(IDV_E_IO, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (rc == IDV_OK)
            rc = visit(t, d, folder, list[i]->d_name, vendor, depth);
        free(list[i]);
    }
    free(list);
    return rc;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

idv_rc certdir_read(const struct tool *t, const char *folder,
                    struct certdir *out)
{
    struct certdir d = {0};
    d.certs = sk_X509_new_null();
    d.vendors = calloc(CERTDIR_MAX + 1, sizeof(*d.vendors));
    idv_rc rc =
        d.certs && d.vendors ? IDV_OK : idv_fail(IDV_E_NOMEM, "out of memory");
    if (rc == IDV_OK)
        rc = walk(t, &d, folder, last_part(folder), 0);
    if (rc == IDV_OK)
        *out = d;
    else
        certdir_free(&d);
    return rc;
}
