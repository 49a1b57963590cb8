/* SPDX-License-Identifier: Apache-2.0 */
/* The curves: every named one that OpenSSL has keys for from 160 bits on, but
 * those of WTLS (doubles) and of X9.62 over binary fields (withdrawn). */
#include <string.h>
#include <strings.h>

#include "provider/curve.h"

#define BYTES(bits) (((bits) + 7) / 8)
#define LITERAL(s) (const uint8_t *)(s), sizeof(s) - 1

/* strengths as NIST SP 800-57 part 1 counts them, by bits of the order */
#define SECURITY(order)                                                        \
    ((order) >= 512   ? 256                                                    \
     : (order) >= 384 ? 192                                                    \
     : (order) >= 256 ? 128                                                    \
     : (order) >= 224 ? 112                                                    \
                      : 80)
/* SEQUENCE of two INTEGERs below the order */
#define BODY(order) (2 * (2 + (order) / 8 + 1))
#define DER_SIG(order) (BODY(order) + (BODY(order) < 128 ? 2 : 3))

#define EC(name, nist, field, order, oid)                                      \
    {                                                                          \
        HWK_KEY_EC, name, nist, order, BYTES(field), BYTES(order),             \
            SECURITY(order), DER_SIG(order), LITERAL(oid)                      \
    }

static const struct hwk_curve curves[] = {
    EC("prime256v1", "P-256", 256, 256,
       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
    EC("secp384r1", "P-384", 384, 384, "\x06\x05\x2b\x81\x04\x00\x22"),
    EC("secp521r1", "P-521", 521, 521, "\x06\x05\x2b\x81\x04\x00\x23"),
    EC("secp224r1", "P-224", 224, 224, "\x06\x05\x2b\x81\x04\x00\x21"),
    EC("prime192v1", "P-192", 192, 192,
       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x01"),
    EC("secp160k1", "secp160k1", 160, 161, "\x06\x05\x2b\x81\x04\x00\x09"),
    EC("secp160r1", "secp160r1", 160, 161, "\x06\x05\x2b\x81\x04\x00\x08"),
    EC("secp160r2", "secp160r2", 160, 161, "\x06\x05\x2b\x81\x04\x00\x1e"),
    EC("secp192k1", "secp192k1", 192, 192, "\x06\x05\x2b\x81\x04\x00\x1f"),
    EC("secp224k1", "secp224k1", 224, 225, "\x06\x05\x2b\x81\x04\x00\x20"),
    EC("secp256k1", "secp256k1", 256, 256, "\x06\x05\x2b\x81\x04\x00\x0a"),
    EC("brainpoolP160r1", "brainpoolP160r1", 160, 160,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x01"),
    EC("brainpoolP160t1", "brainpoolP160t1", 160, 160,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x02"),
    EC("brainpoolP192r1", "brainpoolP192r1", 192, 192,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x03"),
    EC("brainpoolP192t1", "brainpoolP192t1", 192, 192,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x04"),
    EC("brainpoolP224r1", "brainpoolP224r1", 224, 224,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x05"),
    EC("brainpoolP224t1", "brainpoolP224t1", 224, 224,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x06"),
    EC("brainpoolP256r1", "brainpoolP256r1", 256, 256,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07"),
    EC("brainpoolP256t1", "brainpoolP256t1", 256, 256,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x08"),
    EC("brainpoolP320r1", "brainpoolP320r1", 320, 320,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x09"),
    EC("brainpoolP320t1", "brainpoolP320t1", 320, 320,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0a"),
    EC("brainpoolP384r1", "brainpoolP384r1", 384, 384,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0b"),
    EC("brainpoolP384t1", "brainpoolP384t1", 384, 384,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0c"),
    EC("brainpoolP512r1", "brainpoolP512r1", 512, 512,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0d"),
    EC("brainpoolP512t1", "brainpoolP512t1", 512, 512,
       "\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0e"),
    EC("prime192v2", "prime192v2", 192, 192,
       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x02"),
    EC("prime192v3", "prime192v3", 192, 192,
       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x03"),
    EC("prime239v1", "prime239v1", 239, 239,
       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x04"),
    EC("prime239v2", "prime239v2", 239, 239,
       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x05"),
    EC("prime239v3", "prime239v3", 239, 239,
       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x06"),
    EC("sect163k1", "K-163", 163, 163, "\x06\x05\x2b\x81\x04\x00\x01"),
    EC("sect163r1", "sect163r1", 163, 162, "\x06\x05\x2b\x81\x04\x00\x02"),
    EC("sect163r2", "B-163", 163, 163, "\x06\x05\x2b\x81\x04\x00\x0f"),
    EC("sect193r1", "sect193r1", 193, 193, "\x06\x05\x2b\x81\x04\x00\x18"),
    EC("sect193r2", "sect193r2", 193, 193, "\x06\x05\x2b\x81\x04\x00\x19"),
    EC("sect233k1", "K-233", 233, 232, "\x06\x05\x2b\x81\x04\x00\x1a"),
    EC("sect233r1", "B-233", 233, 233, "\x06\x05\x2b\x81\x04\x00\x1b"),
    EC("sect239k1", "sect239k1", 239, 238, "\x06\x05\x2b\x81\x04\x00\x03"),
    EC("sect283k1", "K-283", 283, 281, "\x06\x05\x2b\x81\x04\x00\x10"),
    EC("sect283r1", "B-283", 283, 282, "\x06\x05\x2b\x81\x04\x00\x11"),
    EC("sect409k1", "K-409", 409, 407, "\x06\x05\x2b\x81\x04\x00\x24"),
    EC("sect409r1", "B-409", 409, 409, "\x06\x05\x2b\x81\x04\x00\x25"),
    EC("sect571k1", "K-571", 571, 570, "\x06\x05\x2b\x81\x04\x00\x26"),
    EC("sect571r1", "B-571", 571, 570, "\x06\x05\x2b\x81\x04\x00\x27"),
    {HWK_KEY_ED, "ED25519", "Ed25519", 256, 32, 0, 128, 64,
     LITERAL("\x06\x03\x2b\x65\x70")},
    {HWK_KEY_ED, "ED448", "Ed448", 456, 57, 0, 224, 114,
     LITERAL("\x06\x03\x2b\x65\x71")},
    {HWK_KEY_X, "X25519", "X25519", 253, 32, 0, 128, 32,
     LITERAL("\x06\x03\x2b\x65\x6e")},
    {HWK_KEY_X, "X448", "X448", 448, 56, 0, 224, 56,
     LITERAL("\x06\x03\x2b\x65\x6f")},
};
#define CURVES (sizeof(curves) / sizeof(curves[0]))

/* the names that tokens give instead of an OID, OpenSSL's other ones, and the
 * OIDs of before RFC 8410 */
static const struct {
    const char *alias, *name;
} names[] = {
    {"secp256r1", "prime256v1"}, {"secp192r1", "prime192v1"},
    {"edwards25519", "ED25519"}, {"edwards448", "ED448"},
    {"curve25519", "X25519"},    {"curve448", "X448"},
};
static const struct {
    const uint8_t *oid;
    size_t n;
    const char *name;
} oids[] = {
    {LITERAL("\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01"), "ED25519"},
    {LITERAL("\x06\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01"), "X25519"},
};

static const struct hwk_curve *by_own_name(const char *name)
{
    size_t i;

    for (i = 0; i < CURVES; i++)
        if (strcasecmp(name, curves[i].name) == 0 ||
            strcasecmp(name, curves[i].nist) == 0)
            return &curves[i];
    return NULL;
}

const struct hwk_curve *hwk_curve_by_name(const char *name)
{
    const struct hwk_curve *curve = by_own_name(name);
    size_t i;

    for (i = 0; curve == NULL && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(name, names[i].alias) == 0)
            curve = by_own_name(names[i].name);
    return curve;
}

const struct hwk_curve *hwk_curve_by_bits(unsigned bits)
{
    size_t i;

    for (i = 0; curves[i].nist[1] == '-'; i++)
        if (curves[i].bits == bits)
            return &curves[i];
    return NULL;
}

const struct hwk_curve *hwk_curve_at(size_t i)
{
    return i < CURVES ? &curves[i] : NULL;
}

const struct hwk_curve *hwk_curve_by_der(const uint8_t *der, size_t n)
{
    char name[32];
    size_t i;

    for (i = 0; i < CURVES; i++)
        if (n == curves[i].oid_len && memcmp(der, curves[i].oid, n) == 0)
            return &curves[i];
    for (i = 0; i < sizeof(oids) / sizeof(oids[0]); i++)
        if (n == oids[i].n && memcmp(der, oids[i].oid, n) == 0)
            return by_own_name(oids[i].name);
    if (n < 2 || der[0] != 0x13 || der[1] != n - 2 || n - 2 >= sizeof(name))
        return NULL;
    memcpy(name, der + 2, n - 2);
    name[n - 2] = 0;
    return hwk_curve_by_name(name);
}
