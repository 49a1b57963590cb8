/* SPDX-License-Identifier: Apache-2.0 */
/* Who is measured against whom. */
#include "tests/bench/bench.h"

#define MIB (1u << 20)

#define ROW(text, opening, once, where, type, beside)                          \
    {                                                                          \
        .name = text, .open = opening, .op = once, .device = where,            \
        .alg = type, .with = beside                                            \
    }
#define RAW_TOKEN(type)                                                        \
    ROW("raw C_Sign", raw_token_open, raw_token_sign, TOKEN, type, NOTHING)
#define RAW_TPM(type)                                                          \
    ROW("raw Esys_Sign", raw_tpm_open, raw_tpm_sign, TPM, type, NOTHING)
/* as other providers were measured against it */
#define RAW_THREAD                                                             \
    {                                                                          \
        .name = "raw C_Sign in a thread", .open = raw_token_open,              \
        .op = raw_token_sign, .device = TOKEN, .alg = P256, .in_thread = true  \
    }
#define SIGN(where, type) ROW("hwkey", sign_open, sign_once, where, type, HWKEY)
#define AGAIN(where, type)                                                     \
    ROW("hwkey, context again", sign_again_open, sign_again, where, type, HWKEY)
#define KEPT(where, type)                                                      \
    ROW("hwkey, context kept", hwkey_kept_open, hwkey_kept_sign, where, type,  \
        HWKEY)
#define BARE_SIGN ROW("bare", bare_open, sign_once, TOKEN, P256, BARE)
#define SOFT(type)                                                             \
    ROW("software", sign_open, sign_once, SOFTWARE, type, NOTHING)
#define TLS(text, where, type, beside)                                         \
    ROW(text, tls_open, tls_handshake, where, type, beside)
#define PARSE(text, type, beside)                                              \
    ROW(text, parse_open, parse_cert, SOFTWARE, type, beside)
#define PROVIDER(text, beside)                                                 \
    ROW(text, load_nothing, load_provider, SOFTWARE, P256, beside)
#define RAW_LOAD(text, once, where)                                            \
    ROW(text, load_nothing, once, where, P256, NOTHING)
#define LOAD(where) ROW("hwkey", load_open, load_key, where, P256, HWKEY)

const struct group bench_groups[] = {
    {.name = "sign P-256, token",
     .c = {RAW_TOKEN(P256), SIGN(TOKEN, P256), AGAIN(TOKEN, P256),
           KEPT(TOKEN, P256), BARE_SIGN, SOFT(P256), RAW_THREAD},
     .counts = 100},
    {.name = "sign RSA-2048, token",
     .c = {RAW_TOKEN(RSA2048), SIGN(TOKEN, RSA2048)}},
    {.name = "sign RSA-2048, token, 1 MiB",
     .c = {RAW_TOKEN(RSA2048), SIGN(TOKEN, RSA2048)},
     .message = MIB},
    {.name = "sign ED25519, token",
     .c = {RAW_TOKEN(ED25519), SIGN(TOKEN, ED25519)}},
    {.name = "sign P-256, TPM",
     .c = {RAW_TPM(P256), SIGN(TPM, P256), KEPT(TPM, P256)}},
    {.name = "sign P-256, TPM, +5 ms a command",
     .c = {RAW_TPM(P256), SIGN(TPM, P256)},
     .delay_ms = "5"},
    {.name = "sign RSA-2048, TPM", .c = {RAW_TPM(RSA2048), SIGN(TPM, RSA2048)}},
    {.name = "TLS 1.3, P-256 server key",
     .c = {TLS("software", SOFTWARE, P256, NOTHING),
           TLS("token", TOKEN, P256, HWKEY), TLS("TPM", TPM, P256, HWKEY)},
     .counts = 20},
    {.name = "TLS 1.3, RSA-2048 server key",
     .c = {TLS("software", SOFTWARE, RSA2048, NOTHING),
           TLS("token", TOKEN, RSA2048, HWKEY),
           TLS("TPM", TPM, RSA2048, HWKEY)}},
    {.name = "d2i_X509, EC",
     .c = {PARSE("default", P256, NOTHING), PARSE("bare", P256, BARE),
           PARSE("bare, all types", P256, BARE_ALL),
           PARSE("hwkey", P256, HWKEY)},
     .counts = 20},
    {.name = "d2i_X509, RSA",
     .c = {PARSE("default", RSA2048, NOTHING), PARSE("bare", RSA2048, BARE),
           PARSE("bare, all types", RSA2048, BARE_ALL),
           PARSE("hwkey", RSA2048, HWKEY)},
     .counts = 20},
    {.name = "providers loaded",
     .c = {PROVIDER("default", NOTHING), PROVIDER("default, hwkey", HWKEY)},
     .cold = true},
    {.name = "first key by URI, token",
     .c = {RAW_LOAD("raw Cryptoki", raw_token_load, TOKEN), LOAD(TOKEN)},
     .cold = true},
    {.name = "first key by URI, TPM",
     .c = {RAW_LOAD("raw ESYS", raw_tpm_load, TPM), LOAD(TPM)},
     .cold = true},
};
const unsigned bench_group_count =
    sizeof(bench_groups) / sizeof(bench_groups[0]);
