/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a pledge or a MASA may send to the registrar; the first byte says
 * what it is. */
#include <string.h>

#include <openssl/err.h>

#include <idevid/auto.h>
#include <idevid/est.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/world.h"

#define ROUNDS 1000 /* then a new world, so that stores stay small */
#define VOUCHER W_BRSKI "requestvoucher"

size_t fuzz_places = 64; /* whole exchanges, each with several signatures */
static struct world w;
static unsigned rounds;

static void ready(void)
{
    if (rounds % ROUNDS == 0) {
        if (rounds)
            world_free(&w);
        world_make(&w);
        w.reg_conf.device_hourly = 1000000;
        world_configure(&w);
    }
    rounds++;
    w.link = WORLD_LINK_MASA;
}

static int post(const char *path, const char *media, struct idv_bytes body)
{
    int status = world_registrar(&w, path, media, body);
    PROMISE(status >= 200 && status < 600 && status != 500);
    PROMISE(status == 200 || strcmp(w.reply.media, "text/plain") == 0);
    PROMISE(status != 202 || w.reply.retry_after > 0);
    return status;
}

static int good_request(void)
{
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) sealed = {0};
    pki_request(&w.pki, &pvr, &sealed);
    return post(VOUCHER, IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed));
}

/* a request that says this, by a device whose signature is good */
static void says(struct idv_bytes payload)
{
    IDV_AUTO(buf) sealed = {.max = IDV_MAX_BODY};
    struct idv_signer signer = {.key = w.pki.idevid.key,
                                .cert = w.pki.idevid.cert};
    if (payload.n == 0)
        return;
    PROMISE(idv_envelope_seal(IDV_MEDIA_VOUCHER_CMS, payload, &signer,
                              &sealed) == IDV_OK);
    (void)post(VOUCHER, IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed));
}

/* the MASA's answer; status by the first byte */
static void masa_answers(struct idv_bytes body, const char *media)
{
    static const int statuses[] = {200, 201, 202, 401, 403, 404, 500, 302};
    if (body.n == 0)
        return;
    idv_msg_free(&w.canned);
    idv_msg_init(&w.canned);
    w.link = WORLD_LINK_CANNED;
    PROMISE(idv_msg_reply(&w.canned, statuses[body.p[0] % 8], media,
                          idv_bytes(body.p + 1, body.n - 1)) == IDV_OK);
    w.canned.location[0] = 0;
    if (w.canned.status == 201 && body.n < IDV_MAX_URL)
        memcpy(w.canned.location, body.p + 1, body.n - 1);
}

/* what is refused before a voucher was given stays refused */
static void enroll(struct idv_bytes body)
{
    (void)good_request();
    (void)post(IDV_PATH_SIMPLEENROLL, IDV_MEDIA_PKCS10, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_bytes rest;
    if (n < 1 || n > IDV_MAX_BODY / 2)
        return 0;
    ready();
    rest = idv_bytes(data + 1, n - 1);
    switch (data[0] % 7) {
    case 0:
        PROMISE(post(VOUCHER, IDV_MEDIA_VOUCHER_CMS, rest) != 200);
        break;
    case 1:
        says(rest);
        break;
    case 2:
        (void)good_request();
        (void)post(W_BRSKI "voucher_status", "application/json", rest);
        break;
    case 3:
        (void)post(W_BRSKI "enrollstatus", "application/json", rest);
        break;
    case 4:
        enroll(rest);
        break;
    case 5:
        masa_answers(rest, IDV_MEDIA_VOUCHER_CMS);
        (void)good_request();
        break;
    default:
        (void)good_request();
        masa_answers(rest, "application/json");
        (void)post(IDV_PATH_SIMPLEENROLL, IDV_MEDIA_PKCS10, idv_str("AAAA"));
    }
    PROMISE(ERR_peek_error() == 0);
    return 0;
}
