/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's cloud registrar, and the Implicit TA set that vouches for it. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "pledge.h"
#include "pledge_conf.h"

#define MAX_ANCHORS 1024 /* systems have some 150 */

/* all certificates of a PEM file, however many */
static idv_rc read_all(const struct idv_buf *file, STACK_OF(X509) * to)
{
    IDV_AUTO_PTR(BIO) in = BIO_new_mem_buf(file->p, (int)file->n);
    X509 *cert;
    while (in && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_num(to) < MAX_ANCHORS && sk_X509_push(to, cert) > 0)
            continue;
        X509_free(cert);
        return idv_fail(IDV_E_LIMIT, "more than %d certificates", MAX_ANCHORS);
    }
    ERR_clear_error(); /* the end, which libcrypto takes for a fault */
    return sk_X509_num(to) > 0 ? IDV_OK
                               : idv_fail(IDV_E_FORMAT, "no certificate in it");
}

/* The system's only where the word says so. */
static const char *path_of(const char *anchors)
{
    return strcmp(anchors, "system") == 0 ? X509_get_default_cert_file()
                                          : anchors;
}

static idv_rc open_anchors(const char *path, STACK_OF(X509) * *out)
{
    IDV_AUTO(buf) file = {0};
    IDV_AUTO_PTR(idv_certs) all = sk_X509_new_null();
    if (!all)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(idv_fs_read(path, 0, &file));
    idv_rc rc = read_all(&file, all);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", path);
    *out = idv_steal(&all);
    return IDV_OK;
}

idv_rc pledge_cloud(struct pledge *p, struct idv_pledge_conf *pc)
{
    const struct pledge_conf *conf = &pledge_configuration;
    if (!conf->cloud)
        return IDV_OK;
    if (!conf->cloud_anchors)
        return idv_fail(IDV_E_ARG, "cloud.anchors is missing in %s",
                        p->t->conf_path);
    IDV_TRY(open_anchors(path_of(conf->cloud_anchors), &p->cloud_anchors));
    pc->cloud = conf->cloud;
    pc->cloud_anchors = p->cloud_anchors;
    return IDV_OK;
}
