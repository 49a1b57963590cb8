/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar: where the MASA of a device is, and how it is asked. */
#include "tests/lib/stores.h"
#include "tests/unit/registrar.h"

#include <openssl/x509v3.h>

static void asks_masa(void **state) /* R-R-16, R-R-22 */
{
    struct fixture *f = *state;
    assert_int_equal(post(f), 200);
    assert_string_equal(f->w.upstream_host, "masa.example.com");
    assert_string_equal(f->w.upstream.path, VOUCHER);
    assert_string_equal(f->w.upstream.media, IDV_MEDIA_VOUCHER_CMS);
    assert_string_equal(f->w.upstream.accept, IDV_MEDIA_VOUCHER_CMS);
    assert_int_equal(f->w.upstream.verb, IDV_POST);
    assert_false(f->w.upstream_auth);
}

/* --- what the IDevID says ------------------------------------------------- */

/* its MASA URL is this IA5String, whatever is in it */
static struct pki_id of_masa(struct fixture *f, const char *serial,
                             const char *url)
{
    struct pki_id id = device(f, serial, 0);
    IDV_AUTO_PTR(ASN1_OBJECT) oid = OBJ_txt2obj(IDV_OID_MASA_URL, 1);
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_STRING_set(text, url, -1), 1);
    value->length = i2d_ASN1_IA5STRING(text, &value->data);
    assert_true(value->length > 0);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    assert_int_equal(X509_add_ext(id.cert, e, -1), 1);
    assert_true(X509_sign(id.cert, f->w.pki.maker_ca.key, EVP_sha256()) > 0);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    ASN1_IA5STRING_free(text);
    return id;
}

static struct pki_id comes(struct fixture *f, int n, const char *url)
{
    snprintf(f->pvr.serial_number, sizeof(f->pvr.serial_number), "M-%d", n);
    struct pki_id id = of_masa(f, f->pvr.serial_number, url);
    shows(f, &id);
    return id;
}

/* R-R-16: an authority stands for its /.well-known/brski, a URL for itself */
static void masa_of_idevid(void **state)
{
    static const struct {
        const char *said, *host, *path;
        uint16_t port;
    } rows[] = {
        {"masa.example.net", "masa.example.net", VOUCHER, 443},
        {"MASA.example.net:9443", "MASA.example.net", VOUCHER, 9443},
        {"[2001:db8::7]:8443", "2001:db8::7", VOUCHER, 8443},
        {"192.0.2.7", "192.0.2.7", VOUCHER, 443},
        {"https://masa.example.net", "masa.example.net", VOUCHER, 443},
        {"https://masa.example.net:444/", "masa.example.net", VOUCHER, 444},
        {"https://masa.example.net/of/us", "masa.example.net",
         "/of/us/requestvoucher", 443},
        {"https://masa.example.net/of/us/", "masa.example.net",
         "/of/us/requestvoucher", 443},
    };
    struct fixture *f = *state;
    f->w.link = WORLD_LINK_LOST;
    for (int i = 0; i < (int)(sizeof(rows) / sizeof(*rows)); i++) {
        struct pki_id id = comes(f, i, rows[i].said);
        assert_int_equal(post(f), 202);
        assert_int_equal(f->w.upstreams, i + 1);
        assert_string_equal(f->w.upstream_host, rows[i].host);
        assert_int_equal(f->w.upstream_port, rows[i].port);
        assert_string_equal(f->w.upstream.path, rows[i].path);
        pki_id_free(&id);
    }
}

/* R-R-16: never without TLS, nor where else somebody would be led; not even
 * where the configuration knows another place */
static void no_masa_in_idevid(void **state)
{
    static const char *const rows[] = {
        "http://masa.example.net",
        "HTTP://masa.example.net/",
        "ftp://masa.example.net",
        "//masa.example.net",
        "/masa",
        "",
        "user@masa.example.net",
        "https://u:p@masa.example.net",
        "masa.example.net:0",
        "masa.example.net:65536",
        "masa.example.net:443x",
        "https://masa.example.net/?a=1",
        "https://masa.example.net/#a",
        "masa.example.net/../a b",
        "masa.example.net\r\nHost: other",
        "masa..example.net:",
    };
    struct fixture *f = *state;
    f->w.reg_maker.masa_fallback = "fallback.example.com";
    for (int i = 0; i < (int)(sizeof(rows) / sizeof(*rows)); i++) {
        struct pki_id id = comes(f, i, rows[i]);
        refused(f, 403, "idevid");
        pki_id_free(&id);
    }
}

/* --- what the configuration says ------------------------------------------ */

static void masa_elsewhere(void **state) /* R-R-17, R-R-19 */
{
    struct fixture *f = *state;
    f->w.reg_maker.masa_url = "https://other.example.com/brand";
    f->w.reg_maker.masa_fallback = "unused.example.com";
    f->w.reg_maker.masa_client_auth = true;
    f->w.link = WORLD_LINK_LOST;
    assert_int_equal(post(f), 202);
    assert_string_equal(f->w.upstream_host, "other.example.com");
    assert_string_equal(f->w.upstream.path, "/brand/requestvoucher");
    assert_true(f->w.upstream_auth);
}

static void masa_nowhere(void **state) /* 10.1 step 8 */
{
    struct fixture *f = *state;
    struct pki_id plain = device(f, PKI_SERIAL, 0);
    shows(f, &plain);
    refused(f, 404, "no-masa");
    f->w.reg_maker.masa_fallback = "fallback.example.com";
    f->w.link = WORLD_LINK_LOST;
    assert_int_equal(post(f), 202);
    assert_string_equal(f->w.upstream_host, "fallback.example.com");
    pki_id_free(&plain);
}

/* R-R-19: user and password go with each request to this MASA */
static void masa_login(void **state)
{
    struct fixture *f = *state;
    f->w.reg_maker.masa_user = "registrar";
    f->w.reg_maker.masa_password = "secret";
    f->w.reg_maker.masa_digest = true;
    assert_int_equal(post(f), 200);
    assert_string_equal(f->w.upstream_user, "registrar");
    assert_string_equal(f->w.upstream_password, "secret");
    assert_true(f->w.upstream_digest);
    assert_null(strstr(f->w.log, "secret"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(asks_masa),      T(masa_of_idevid), T(no_masa_in_idevid),
        T(masa_elsewhere), T(masa_nowhere),   T(masa_login),
    };
    return STORES_RUN(tests);
}
