/* SPDX-License-Identifier: Apache-2.0 */
/* findkeys FILE ...: names each place where a private key lies open, as PEM or
 * as DER at any offset; exit code 1 if there is one. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

static const char *const labels[] = {
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----"};

static int look_pem(const char *path, struct idv_bytes b)
{
    int found = 0;
    for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
        if (!memmem(b.p, b.n, labels[i], strlen(labels[i])))
            continue;
        printf("%s: %s\n", path, labels[i]);
        found = 1;
    }
    return found;
}

/* PKCS#8, RSAPrivateKey and ECPrivateKey begin SEQUENCE, INTEGER 0 or 1. */
static int is_key(const uint8_t *p, size_t n)
{
    size_t head = n > 2 && p[1] < 0x80 ? 2 : n > 3 && p[1] == 0x81 ? 3 : 4;
    if (n < head + 3 || p[0] != 0x30 || p[head] != 2 || p[head + 1] != 1 ||
        p[head + 2] > 1)
        return 0;
    const unsigned char *at = p;
    long len = n > 65536 ? 65536 : (long)n;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, len);
    EVP_PKEY_free(key);
    return key != NULL;
}

static int look_der(const char *path, struct idv_bytes b)
{
    int found = 0;
    for (size_t i = 0; i + 16 < b.n; i++) {
        if (b.p[i] != 0x30 || !is_key(b.p + i, b.n - i))
            continue;
        printf("%s: DER private key at byte %zu\n", path, i);
        found = 1;
    }
    return found;
}

int main(int argc, char **argv)
{
    int found = 0;
    for (int i = 1; i < argc; i++) {
        IDV_AUTO(buf) b = {.max = (size_t)64 << 20};
        if (idv_fs_read(argv[i], b.max, &b) != IDV_OK) {
            fprintf(stderr, "findkeys: %s\n", idv_note());
            return 2;
        }
        found |= look_pem(argv[i], idv_view(&b));
        found |= look_der(argv[i], idv_view(&b));
    }
    return found;
}
