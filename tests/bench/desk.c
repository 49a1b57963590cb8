/* SPDX-License-Identifier: Apache-2.0 */
/* How many devices a desk judges with one core: the station's signature, the
 * EK's chain, the TCG-CSR-IDEVID and the attestation in it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <idevid/auto.h>
#include <idevid/desk.h>

#include "tests/bench/bench.h"
#include "tests/lib/softtpm.h"

#define PER_S 200.0

struct desk {
    struct pki pki;
    struct pki_id vendor, station;
    STACK_OF(X509) * stations;
    struct idv_roots *roots;
    struct idv_desk_conf conf;
    struct idv_buf request;
};

static void open_desk(struct desk *d)
{
    struct idv_cert_spec root = {.kind = IDV_CERT_ROOT, .common_name = "V"};
    struct idv_cert_spec station = {.kind = IDV_CERT_LDEVID,
                                    .common_name = "station-1"};
    pki_make(&d->pki);
    d->vendor = pki_issue(&d->pki, "P-256", &root, NULL);
    d->station = pki_issue(&d->pki, "P-256", &station, &d->pki.domain_ca);
    d->stations = pki_stack(d->pki.domain_ca.cert, NULL);
    IDV_AUTO_PTR(idv_certs) vendors = pki_stack(d->vendor.cert, NULL);
    pki_must(idv_roots_from_certs(vendors, &d->roots), "roots");
    d->conf.roots = d->roots;
    d->conf.env = &d->pki.env.env;
}

static void make_request(struct desk *d, enum idv_key_type type,
                         enum idv_factory_profile profile)
{
    static const uint8_t challenge[IDV_FACTORY_CHALLENGE] = {1};
    struct softtpm t;
    struct idv_factory_request r;
    softtpm_make(&t, type, &d->pki, &d->vendor);
    softtpm_request(&t, profile, "L1", "A-0001", challenge, NULL, &r);
    idv_buf_clear(&d->request);
    pki_must(idv_factory_request_seal(&r, d->station.key, d->station.cert, NULL,
                                      &d->request),
             "request");
    idv_factory_request_free(&r);
    softtpm_free(&t);
}

static void judge(struct desk *d)
{
    struct idv_factory_request r = {0};
    struct idv_desk_proof p = {0};
    enum idv_factory_why why;
    pki_must(idv_factory_request_open(idv_view(&d->request), d->stations, true,
                                      PKI_NOW, &r, NULL),
             "open");
    pki_must(idv_desk_judge(&d->conf, &r, &p, &why), "judge");
    idv_factory_request_free(&r);
    idv_desk_proof_free(&p);
}

/* of the processor's time, so that others on the machine do not count */
static double per_second(const struct options *o, struct desk *d)
{
    clock_t from = clock(), spent = 0;
    double n = 0;
    do {
        judge(d);
        n++;
        spent = clock() - from;
    } while ((double)spent < o->seconds * CLOCKS_PER_SEC);
    return n * CLOCKS_PER_SEC / (double)spent;
}

int bench_desk(const struct options *o)
{
    static const struct {
        const char *name;
        enum idv_key_type type;
        enum idv_factory_profile profile;
        double promised;
    } rows[] = {
        {"desk: judges P-256, tcg", IDV_KEY_P256, IDV_PROFILE_TCG, PER_S},
        {"desk: judges P-256, lean", IDV_KEY_P256, IDV_PROFILE_LEAN, PER_S},
        {"desk: judges P-256, direct", IDV_KEY_P256, IDV_PROFILE_DIRECT, PER_S},
        {"desk: judges P-384, tcg", IDV_KEY_P384, IDV_PROFILE_TCG,
         PROMISE_NONE},
        {"desk: judges RSA-2048, tcg", IDV_KEY_RSA2048, IDV_PROFILE_TCG, PER_S},
    };
    struct desk d = {0};
    open_desk(&d);
    printf("\n%-52s %12s %8s\n", "the desk, on one core", "figure", "promised");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        make_request(&d, rows[i].type, rows[i].profile);
        report_promise(o, "one core", rows[i].name, "devices/s",
                       per_second(o, &d), rows[i].promised, true);
    }
    return 1;
}
