/* SPDX-License-Identifier: Apache-2.0 */
/* A maker, its devices and a domain, with keys in files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/key.h>
#include <idevid/x509.h>

#include <openssl/pem.h>

#include "tests/lib/crowd.h"

void crowd_die(const char *what)
{
    fprintf(stderr, "crowd: %s: %s\n", what, idv_note());
    exit(1);
}

void crowd_must(idv_rc rc, const char *what)
{
    if (rc != IDV_OK)
        crowd_die(what);
}

/* --- files ---------------------------------------------------------------- */

static FILE *file(const char *dir, const char *name, const char *ending,
                  const char *mode)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s%s", dir, name, ending);
    FILE *f = fopen(path, mode);
    if (!f)
        crowd_die(path);
    return f;
}

/* the chain below cert, as far as it is given, behind it */
static void save(const char *dir, const char *name, EVP_PKEY *key, X509 *cert,
                 X509 *issuer)
{
    FILE *f = file(dir, name, ".pem", "w");
    if (PEM_write_X509(f, cert) != 1 ||
        (issuer && PEM_write_X509(f, issuer) != 1) || fclose(f) != 0)
        crowd_die(name);
    f = file(dir, name, ".key", "w");
    if (PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        fclose(f) != 0)
        crowd_die(name);
}

/* --- making --------------------------------------------------------------- */

static struct idv_env_system sys;

static struct crowd_device issue(const struct idv_cert_spec *spec,
                                 const struct crowd_device *by)
{
    struct crowd_device d = {.key = EVP_EC_gen("P-256")};
    struct idv_cert_spec s = *spec;
    s.not_before = idv_now(&sys.env) - 3600;
    if (s.kind != IDV_CERT_IDEVID)
        s.not_after = s.not_before + 30 * 24 * 3600;
    if (!d.key)
        crowd_die("key");
    crowd_must(idv_cert_issue(&s, d.key, by ? by->cert : NULL,
                              by ? by->key : d.key, &sys.env, &d.cert),
               "certificate");
    return d;
}

static struct crowd_device named(enum idv_cert_kind kind, const char *name,
                                 const struct crowd_device *by)
{
    static const char *const names[] = {"localhost", "127.0.0.1", NULL};
    bool serves = kind == IDV_CERT_SERVER || kind == IDV_CERT_REGISTRAR;
    const struct idv_cert_spec spec = {
        .kind = kind, .common_name = name, .names = serves ? names : NULL};
    return issue(&spec, by);
}

static void drop(struct crowd_device *d)
{
    EVP_PKEY_free(d->key);
    X509_free(d->cert);
}

/* a line for the MASA */
static void enter(FILE *f, const char *serial, const X509 *cert)
{
    IDV_AUTO(buf) issuer = {0};
    IDV_AUTO(buf) text = {0};
    crowd_must(idv_idevid_issuer(cert, false, &issuer), "issuer");
    crowd_must(idv_base64_from_bytes(idv_view(&issuer), 0, &text), "issuer");
    fprintf(f, "{\"serial-number\":\"%s\",\"idevid-issuer\":\"%s\"}\n", serial,
            (const char *)text.p);
}

static void make_devices(const char *dir, unsigned n,
                         const struct crowd_device *ca)
{
    FILE *f = file(dir, "devices", ".jsonl", "w");
    for (unsigned i = 0; i < n; i++) {
        char serial[32], name[32];
        snprintf(serial, sizeof(serial), "CROWD-%04u", i);
        snprintf(name, sizeof(name), "device.%u", i);
        const struct idv_cert_spec spec = {.kind = IDV_CERT_IDEVID,
                                           .serial_number = serial,
                                           .hw_type = IDV_OID_TPM20,
                                           .hw_serial = idv_str(serial),
                                           .masa_url = "localhost"};
        struct crowd_device d = issue(&spec, ca);
        save(dir, name, d.key, d.cert, ca->cert);
        enter(f, serial, d.cert);
        drop(&d);
    }
    if (fclose(f) != 0)
        crowd_die("devices.jsonl");
}

void crowd_make(const char *dir, unsigned n)
{
    idv_env_system_init(&sys, "crowd");
    struct crowd_device root = named(IDV_CERT_ROOT, "Maker Root", NULL);
    struct crowd_device ca = named(IDV_CERT_CA, "Maker CA", &root);
    struct crowd_device masa = named(IDV_CERT_SIGNER, "MASA", &root);
    struct crowd_device tls = named(IDV_CERT_SERVER, "masa", &root);
    struct crowd_device domain = named(IDV_CERT_ROOT, "Domain CA", NULL);
    struct crowd_device reg = named(IDV_CERT_REGISTRAR, "Registrar", &domain);
    save(dir, "anchors", root.key, root.cert, ca.cert);
    save(dir, "masa", masa.key, masa.cert, root.cert);
    save(dir, "masa-tls", tls.key, tls.cert, root.cert);
    save(dir, "domain-ca", domain.key, domain.cert, NULL);
    save(dir, "registrar", reg.key, reg.cert, domain.cert);
    make_devices(dir, n, &ca);
    struct crowd_device *all[] = {&root, &ca, &masa, &tls, &domain, &reg};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        drop(all[i]);
}

/* --- opening -------------------------------------------------------------- */

static bool load(const char *dir, const char *name, struct crowd_device *d)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.pem", dir, name);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    d->cert = PEM_read_X509(f, NULL, NULL, NULL);
    d->ca = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    f = file(dir, name, ".key", "r");
    d->key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    if (!d->cert || !d->key || !d->ca)
        crowd_die(path);
    return true;
}

static bool load_device(struct crowd *c, unsigned i)
{
    char name[32];
    struct crowd_device *d = &c->device[i];
    snprintf(name, sizeof(name), "device.%u", i);
    if (!load(c->dir, name, d))
        return false;
    if (!c->maker_ca)
        c->maker_ca = idv_steal(&d->ca);
    X509_free(idv_steal(&d->ca));
    return true;
}

void crowd_registrar(struct crowd *c)
{
    if (!load(c->dir, "registrar", &c->registrar))
        crowd_die("registrar");
}

void crowd_open(struct crowd *c, const char *dir)
{
    memset(c, 0, sizeof(*c));
    c->dir = dir;
    idv_env_system_init(&c->sys, "crowd");
    c->device = calloc(CROWD_MAX, sizeof(*c->device));
    if (!c->device)
        crowd_die("memory");
    while (c->devices < CROWD_MAX && load_device(c, c->devices))
        c->devices++;
    if (!c->devices)
        crowd_die("no devices");
}

void crowd_where(struct crowd *c, const char *host_ports)
{
    for (const char *p = host_ports; *p && c->at_n < CROWD_AT; c->at_n++) {
        struct crowd_at *at = &c->at[c->at_n];
        if (sscanf(p, "%63[^:,]:%7[0-9]", at->host, at->port) != 2)
            crowd_die("HOST:PORT");
        p += strcspn(p, ",");
        p += *p == ',';
    }
}
