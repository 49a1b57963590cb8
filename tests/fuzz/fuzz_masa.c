/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a registrar may send to the MASA; the first byte says what it is. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/auto.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/world.h"

#define ROUNDS 2000 /* then a new world, so that stores stay small */

static struct world w;
static unsigned rounds;

static void ready(void)
{
    if (rounds % ROUNDS == 0) {
        if (rounds)
            world_free(&w);
        world_make(&w);
        w.maker.policy.device_hourly = 1000000;
        w.masa_conf.draft_era = true;
        world_configure(&w);
    }
    rounds++;
}

/* signed by a registrar that anybody may be */
static void seal(struct idv_bytes payload, struct idv_buf *out)
{
    struct idv_signer signer = {.key = w.pki.registrar.key,
                                .cert = w.pki.registrar.cert,
                                .chain = w.pki.tls_chain};
    PROMISE(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, payload, &signer, out) ==
            IDV_OK);
}

/* a good request with these bytes as the pledge's inside */
static void around(struct idv_bytes prior, struct idv_buf *out)
{
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) unused = {0};
    pki_request(&w.pki, &pvr, &unused);
    if (prior.n)
        pki_rvr(&w.pki, &pvr, prior, false, out);
}

static void ask_as(const char *path, const char *media, struct idv_bytes body)
{
    struct idv_peer peer = {.address = "192.0.2.99"};
    int before = world_events(&w);
    int status = world_ask(&w, idv_masa_service(w.masa), &peer, IDV_POST, path,
                           media, body);
    int more = world_events(&w) - before;
    PROMISE(status >= 200 && status < 500);
    PROMISE(status == 200 || strcmp(w.reply.media, "text/plain") == 0);
    PROMISE(more == 0 || (more == 1 && status == 200));
}

static void ask(const char *path, struct idv_bytes body)
{
    ask_as(path, IDV_MEDIA_VOUCHER_CMS, body);
}

/* as before there were vouchers */
static void ask_draft(struct idv_bytes payload)
{
    IDV_AUTO(buf) sealed = {.max = IDV_MAX_BODY};
    if (payload.n)
        seal(payload, &sealed);
    ask_as("/.well-known/est/requestaudittoken", "application/pkcs7-mime",
           idv_view(&sealed));
    ask_as("/.well-known/est/requestMASAlog", "application/pkcs7-mime",
           idv_view(&sealed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    IDV_AUTO(buf) sealed = {.max = IDV_MAX_BODY};
    struct idv_bytes rest;
    if (n < 1 || n > IDV_MAX_BODY / 2)
        return 0;
    ready();
    rest = idv_bytes(data + 1, n - 1);
    if (data[0] == 'D') {
        ask_draft(rest);
        PROMISE(ERR_peek_error() == 0);
        return 0;
    }
    switch (data[0] % 4) {
    case 0:
        ask(W_BRSKI "requestvoucher", rest);
        break;
    case 1:
        ask(W_BRSKI "requestauditlog", rest);
        break;
    case 2:
        if (rest.n)
            seal(rest, &sealed);
        ask(W_BRSKI "requestvoucher", idv_view(&sealed));
        break;
    default:
        around(rest, &sealed);
        ask(W_BRSKI "requestvoucher", idv_view(&sealed));
    }
    PROMISE(ERR_peek_error() == 0);
    return 0;
}
