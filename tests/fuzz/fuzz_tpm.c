/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of a TPM: whatever it says, a use of it succeeds with what it
 * must have, or fails with a reason, and nothing is written where it has no
 * room. The first byte says what is done, then comes the script. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "provider/backend.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_tpm.h"
#include "tests/lib/tcti_script.h"

#define ROW (&hwk_backend_tpm2)
#define PIN "?pin-value=1234"

size_t fuzz_places = 40; /* sessions of ESYS take their time */

static char name[] = "device:/dev/tpmrm0"; /* what needs no lock file */
static const struct hwk_config cfg = {.tcti = name};
/* without sessions an old answer is as good as a new one */
static const struct hwk_config bare = {.tcti = name,
                                       .tpm_sessions = HWK_PROTECT_NEVER};
static void *state;

__attribute__((constructor)) static void quiet(void)
{
    setenv("TSS2_LOG", "all+none", 1);
}

int fuzz_said(int ok)
{
    PROMISE(ok == 0 || ok == 1);
    PROMISE(ok == (ERR_peek_error() == 0));
    if (getenv("FUZZ_SAY") != NULL)
        ERR_print_errors_fp(stderr);
    ERR_clear_error();
    return ok;
}

/* --- keys --- */

static const uint8_t digest[64] = {1, 2, 3};

static void sign(const struct hwk_found *f, enum hwk_pad pad)
{
    const struct hwk_mech mech = {.type = f->pub.type,
                                  .pad = pad,
                                  .md = HWK_MD_SHA256,
                                  .mgf1 = HWK_MD_SHA256,
                                  .salt = 32,
                                  .message = f->flags & HWK_FOUND_MESSAGE};
    size_t want =
        f->pub.type == HWK_KEY_EC ? 2 * f->pub.curve->field : f->pub.n_len;
    size_t n = want;
    uint8_t *sig = malloc(n);

    if (sig == NULL || f->flags & HWK_FOUND_NO_SIGN) {
        free(sig);
        return;
    }
    if (fuzz_said(ROW->sign(state, f->ref, &mech, digest, 32, sig, &n)))
        PROMISE(n == want);
    free(sig);
}

static void decrypt(const struct hwk_found *f, enum hwk_pad pad)
{
    const struct hwk_mech mech = {.type = HWK_KEY_RSA,
                                  .pad = pad,
                                  .md = HWK_MD_SHA256,
                                  .mgf1 = HWK_MD_SHA256};
    uint8_t box[HWK_RSA_MAX] = {0, 1};
    size_t n = f->pub.n_len;
    uint8_t *out = malloc(n);

    if (out != NULL &&
        fuzz_said(ROW->decrypt(state, f->ref, &mech, box, n, out, &n)))
        PROMISE(n <= f->pub.n_len);
    free(out);
}

static void derive(const struct hwk_found *f)
{
    size_t n = f->pub.curve->field;
    uint8_t *out = malloc(n);

    if (out != NULL && fuzz_said(ROW->derive(state, f->ref, f->pub.point,
                                             f->pub.point_len, out, &n)))
        PROMISE(n == f->pub.curve->field);
    free(out);
}

static void use(const struct hwk_found *f)
{
    if (f->pub.type == HWK_KEY_EC) {
        sign(f, HWK_PAD_NONE);
        derive(f);
    } else if (f->pub.type == HWK_KEY_RSA && f->pub.n_len >= 128) {
        sign(f, HWK_PAD_PKCS1);
        sign(f, HWK_PAD_PSS);
        decrypt(f, HWK_PAD_PKCS1);
        decrypt(f, HWK_PAD_OAEP);
        decrypt(f, HWK_PAD_NONE);
    }
}

struct kept {
    struct hwk_found found[4];
    size_t n;
};

static int keep(void *arg, struct hwk_found *found)
{
    struct kept *k = arg;

    PROMISE(memchr(found->uri, 0, sizeof(found->uri)) != NULL);
    PROMISE(memchr(found->label, 0, sizeof(found->label)) != NULL);
    if (found->type == HWK_OBJ_CERT)
        PROMISE(found->der != NULL && found->der_len > 0);
    if (found->type != HWK_OBJ_PRIVATE || k->n == 4)
        return 1;
    k->found[k->n++] = *found;
    found->ref = NULL;
    return 1;
}

static void use_all(struct kept *k)
{
    for (size_t i = 0; i < k->n; i++)
        use(&k->found[i]);
    for (size_t i = 0; i < k->n; i++)
        ROW->release(state, k->found[i].ref);
}

/* --- what is done --- */

static void find(const char *text, unsigned want)
{
    struct kept k = {.n = 0};
    struct hwk_uri uri;

    PROMISE(hwk_uri_parse(text, &uri));
    const struct hwk_pin_ask ask = {.cfg = &cfg, .uri = &uri};
    fuzz_said(ROW->find(state, &uri, want, &ask, keep, &k));
    use_all(&k);
    hwk_uri_clear(&uri);
}

static void make(const char *text, enum hwk_key_type type, unsigned usage)
{
    const struct hwk_spec ec = {
        .type = type, .curve = hwk_curve_by_bits(256), .usage = usage};
    const struct hwk_spec rsa = {.type = type, .bits = 2048, .usage = usage};
    struct hwk_found f;
    struct hwk_uri uri;

    PROMISE(hwk_uri_parse(text, &uri));
    const struct hwk_pin_ask ask = {.cfg = &cfg, .uri = &uri};
    if (fuzz_said(ROW->make(state, &uri, type == HWK_KEY_EC ? &ec : &rsa, &ask,
                            &f))) {
        use(&f);
        ROW->release(state, f.ref);
    }
    hwk_uri_clear(&uri);
}

static void blob(void)
{
    struct kept k = {.n = 0};
    struct hwk_uri uri;
    size_t n;
    const uint8_t *der = script_argument(&n);

    PROMISE(hwk_uri_parse("tpm2:" PIN, &uri));
    const struct hwk_pin_ask ask = {.cfg = &cfg, .uri = &uri};
    if (der != NULL && ROW->load_blob != NULL)
        fuzz_said(ROW->load_blob(state, der, n, &ask, keep, &k));
    use_all(&k);
    hwk_uri_clear(&uri);
}

static int describe(void *arg, const struct hwk_object_info *info)
{
    (void)arg;
    PROMISE(memchr(info->uri, 0, sizeof(info->uri)) != NULL);
    PROMISE(memchr(info->algorithm, 0, sizeof(info->algorithm)) != NULL);
    return 1;
}

static void look_around(void)
{
    struct hwk_device_info info;
    void *dev;
    struct hwk_uri uri;

    PROMISE(hwk_uri_parse("tpm2:", &uri));
    if (fuzz_said(ROW->dev_open(state, &uri, NULL, &dev))) {
        fuzz_said(ROW->dev_info(state, dev, &info));
        fuzz_said(ROW->dev_list(state, dev, describe, NULL));
        ROW->dev_close(state, dev);
    }
    hwk_uri_clear(&uri);
}

static void write_and_read(void)
{
    uint8_t data[2048] = {0x30, 4, 1, 2, 3, 4};
    struct hwk_object_info info;
    size_t n = sizeof(data);
    void *dev;
    struct hwk_uri uri;

    PROMISE(hwk_uri_parse("tpm2:handle=0x01800a10", &uri));
    if (fuzz_said(ROW->dev_open(state, &uri, NULL, &dev))) {
        fuzz_said(ROW->dev_write(state, dev, &uri, data, 1500,
                                 HWK_WRITE_NEW | HWK_WRITE_LOCK));
        if (fuzz_said(ROW->dev_read(state, dev, &uri, data, &n, &info)))
            PROMISE(n <= sizeof(data));
        fuzz_said(ROW->dev_erase(state, dev, &uri));
        ROW->dev_close(state, dev);
    }
    hwk_uri_clear(&uri);
}

static void random_bytes(void)
{
    uint8_t out[40];

    fuzz_said(ROW->random(state, NULL, out, sizeof(out)));
}

#define BOTH (HWK_WANT_PRIVATE | HWK_WANT_PUBLIC)

static void act(unsigned what)
{
    switch (what) {
    case 'k': /* a key; with an authorization value; its public half */
        find("tpm2:handle=0x81010001", BOTH);
        break;
    case 'p':
        find("tpm2:handle=0x81010001" PIN, BOTH);
        break;
    case 'u':
        find("tpm2:handle=0x81010001", HWK_WANT_PUBLIC);
        break;
    case 'a': /* all there is */
        find("tpm2:", HWK_WANT_ANY);
        break;
    case 'c':
        find("tpm2:handle=0x01c90200", HWK_WANT_CERT);
        break;
    case 'i':
        find("tpm2:idevid", HWK_WANT_ANY);
        break;
    case 'm':
        make("tpm2:handle=0x81010002", HWK_KEY_EC, HWK_USAGE_SIGN);
        break;
    case 'n':
        make("tpm2:handle=0x81010003;parent=owner" PIN, HWK_KEY_RSA,
             HWK_USAGE_DECRYPT);
        break;
    case 'd':
        make("tpm2:idevid", HWK_KEY_EC, HWK_USAGE_IDEVID);
        break;
    case 'b':
        blob();
        break;
    case 'l':
        look_around();
        break;
    case 'w':
        write_and_read();
        break;
    case 'r':
        random_bytes();
        break;
    case 'v': /* NV indices, in sessions and without */
        fuzz_tpm_nv(&cfg, state);
        break;
    case 'x':
        fuzz_tpm_nv(&bare, state);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int recorded;

    if (n == 0)
        return 0;
    ERR_clear_error();
    if (!recorded)
        recorded = script_record(data, n);
    else if (getenv("SCRIPT_OUT") != NULL)
        return 0;
    script_play(data + 1, n - 1);
    if (fuzz_said(ROW->open(data[0] == 'x' ? &bare : &cfg, &state))) {
        act(data[0]);
        PROMISE(script_asked() || !memchr("kpuacidmnlwrvx", data[0], 14));
        ROW->close(state, false);
    }
    script_end();
    return 0;
}
