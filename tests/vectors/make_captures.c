/* SPDX-License-Identifier: Apache-2.0 */
/* Wrote tests/vectors/captures/: one bootstrap as bytes, its keys thrown away.
 */
#include <stdio.h>
#include <stdlib.h>

#include <idevid/auto.h>

#include "tests/lib/pki.h"

static const char *directory;

static void save(const char *name, struct idv_bytes b)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(b.p, 1, b.n, f) == b.n;
    if (!f || fclose(f) != 0 || !ok) {
        perror(path);
        exit(1);
    }
}

static void save_cert(const char *name, const X509 *cert)
{
    IDV_AUTO(buf) der = {0};
    pki_must(idv_cert_to_der(cert, &der), name);
    save(name, idv_view(&der));
}

/* form: "40" (id-ct-animaJSONVoucher, version 3) or "data" (id-data, 1) */
static void save_conversation(struct pki *p, const char *form, bool id_data)
{
    char name[64];
    IDV_AUTO(voucher) request;
    IDV_AUTO(voucher) voucher;
    IDV_AUTO(buf) pvr = {0};
    IDV_AUTO(buf) rvr = {0};
    IDV_AUTO(buf) answer = {0};
    pki_must(idv_request_build(p->idevid.cert, p->registrar.cert, &p->env.env,
                               &request),
             "request");
    pki_seal(&request, &p->idevid, p->idevid_chain, id_data, &pvr);
    pki_rvr(p, &request, idv_view(&pvr), id_data, &rvr);
    pki_voucher(p, &request, p->domain_ca.cert, &voucher);
    pki_seal(&voucher, &p->masa, NULL, id_data, &answer);
    snprintf(name, sizeof(name), "pvr-%s.vcj", form);
    save(name, idv_view(&pvr));
    snprintf(name, sizeof(name), "rvr-%s.vcj", form);
    save(name, idv_view(&rvr));
    snprintf(name, sizeof(name), "voucher-%s.vcj", form);
    save(name, idv_view(&answer));
}

static void save_jws(struct pki *p)
{
    const char *media = IDV_MEDIA_VOUCHER_JWS;
    IDV_AUTO(voucher) request;
    IDV_AUTO(voucher) voucher;
    IDV_AUTO(buf) pvr = {0};
    IDV_AUTO(buf) rvr = {0};
    IDV_AUTO(buf) answer = {0};
    pki_must(idv_request_build(p->idevid.cert, p->registrar.cert, &p->env.env,
                               &request),
             "request");
    pki_seal_as(media, &request, &p->idevid, p->idevid_chain, &pvr);
    pki_rvr_as(media, p, &request, idv_view(&pvr), &rvr);
    pki_voucher(p, &request, p->domain_ca.cert, &voucher);
    pki_seal_as(media, &voucher, &p->masa, NULL, &answer);
    save("pvr-jws.vjj", idv_view(&pvr));
    save("rvr-jws.vjj", idv_view(&rvr));
    save("voucher-jws.vjj", idv_view(&answer));
}

static void save_nonceless(struct pki *p)
{
    IDV_AUTO(voucher) request;
    IDV_AUTO(voucher) voucher;
    IDV_AUTO(buf) answer = {0};
    idv_voucher_init(&request, IDV_VOUCHER_REQUEST);
    snprintf(request.serial_number, sizeof(request.serial_number), "%s",
             PKI_SERIAL);
    pki_voucher(p, &request, p->domain_ca.cert, &voucher);
    voucher.assertion = IDV_ASSERT_LOGGED;
    voucher.expires_on = PKI_NOW + 30 * PKI_DAY;
    pki_seal(&voucher, &p->masa, NULL, false, &answer);
    save("voucher-nonceless.vcj", idv_view(&answer));
}

int main(int argc, char **argv)
{
    struct pki p;
    if (argc != 2) {
        fprintf(stderr, "usage: make_captures DIRECTORY\n");
        return 2;
    }
    directory = argv[1];
    pki_make(&p);
    save_cert("maker-root.der", p.maker_root.cert);
    save_cert("idevid.der", p.idevid.cert);
    save_cert("domain-ca.der", p.domain_ca.cert);
    save_cert("registrar.der", p.registrar.cert);
    save_conversation(&p, "40", false);
    save_conversation(&p, "data", true);
    save_jws(&p);
    save_nonceless(&p);
    pki_free(&p);
    return 0;
}
