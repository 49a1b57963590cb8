/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that devices were answered, for who asks whether a ledger has
 * them. */
#include <stdio.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/est.h>
#include <idevid/x509.h>

#include "tests/lib/crowd.h"

static void hash_of(struct idv_bytes body, struct idv_buf *hex)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    uint8_t hash[32];
    crowd_must(idv_est_body_to_der(body, &der), "answer");
    crowd_must(idv_certbag_from_der(idv_view(&der), &certs), "answer");
    crowd_must(idv_cert_sha256(sk_X509_value(certs, 0), hash), "answer");
    crowd_must(idv_hex_from_bytes(idv_bytes(hash, sizeof(hash)), hex),
               "answer");
}

void crowd_answered(const struct crowd *c, struct idv_bytes body)
{
    IDV_AUTO(buf) hex = {0};
    char path[512];
    hash_of(body, &hex);
    snprintf(path, sizeof(path), "%s/answers", c->dir);
    FILE *f = fopen(path, "a"); /* of several threads: a line at a time */
    if (!f || fprintf(f, "%s\n", (const char *)hex.p) < 0 || fclose(f) != 0)
        crowd_die(path);
}
