/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa log-key: the public half of what signs tree heads. */
#include <openssl/pem.h>

#include <idevid/auto.h>

#include "masa.h"

idv_rc masa_log_key_pem(EVP_PKEY *key, struct idv_buf *out)
{
    IDV_AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
    struct idv_log_id id;
    char *pem = NULL;
    IDV_TRY(idv_log_id(key, &id));
    if (!bio || PEM_write_bio_PUBKEY(bio, key) != 1)
        return idv_fail(IDV_E_CRYPTO, "log key");
    long n = BIO_get_mem_data(bio, &pem);
    return idv_buf_put(out, idv_bytes(pem, (size_t)n));
}

idv_rc masa_log_key(struct tool *t, int argc, char **argv)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO(buf) pem = {0};
    (void)t;
    (void)argc;
    (void)argv;
    if (!masa_maker()->log_key)
        return idv_fail(IDV_E_STATE, "log.key: there is none");
    IDV_TRY(idv_key_open(masa_maker()->log_key, &tool_pin, &key));
    IDV_TRY(masa_log_key_pem(key, &pem));
    return tool_print(idv_view(&pem));
}
