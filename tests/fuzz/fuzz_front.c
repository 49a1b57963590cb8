/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a request that a reverse proxy hands on: the first byte says in
 * which form it has certificates ('a': RFC 9440, 'b': nginx's), then there is a
 * field a line. */
#include "config.h"

#include <string.h>

#include <event2/http.h>

#include <idevid/auto.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "net/server_int.h"
#include "tests/fuzz/fuzz.h"

static void add_field(struct evhttp_request *req, struct idv_bytes line)
{
    struct idv_bytes name;
    char key[64], value[65536];
    if (!idv_text_next(&line, ":", &name) ||
        idv_text_copy(key, sizeof(key), name, "name") != IDV_OK ||
        idv_text_copy(value, sizeof(value), idv_text_trim(line), "value") !=
            IDV_OK)
        return; /* evhttp would have refused it */
    evhttp_add_header(evhttp_request_get_input_headers(req), key, value);
}

/* of the leaf in the form that is not escaped, the only one for it */
static void says_this(const char *field, const struct idv_peer *peer)
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) text = {0};
    PROMISE(idv_cert_to_der(sk_X509_value(peer->chain, 0), &der) == IDV_OK);
    PROMISE(idv_buf_puts(&text, ":") == IDV_OK);
    PROMISE(idv_base64_from_bytes(idv_view(&der), 0, &text) == IDV_OK);
    PROMISE(idv_buf_puts(&text, ":") == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&text), idv_text_trim(idv_str(field))));
}

static void believed(struct evhttp_request *req, const struct idv_peer *peer,
                     enum idv_front_form form)
{
    struct evkeyvalq *in = evhttp_request_get_input_headers(req);
    const char *cert = evhttp_find_header(in, "Client-Cert");
    const char *pem = evhttp_find_header(in, "X-SSL-Client-Cert");
    PROMISE(peer->fronted && peer->address[0]);
    PROMISE(evhttp_find_header(in, "X-Forwarded-For"));
    PROMISE(!(form == IDV_FRONT_CLIENT_CERT ? pem : cert));
    PROMISE((peer->chain != NULL) == (cert || pem));
    if (cert)
        says_this(cert, peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct idv_server_conf conf = {.name = "fuzz"};
    struct idvi_worker w = {.conf = &conf};
    struct idv_peer peer = {.connection = 0};
    struct idv_bytes lines = idv_bytes(data, n), line;
    uint64_t origin = 0;
    if (n < 2)
        return 0;
    lines = idv_bytes(data + 1, n - 1);
    conf.front.form =
        data[0] & 1 ? IDV_FRONT_CLIENT_CERT : IDV_FRONT_ESCAPED_PEM;
    struct evhttp_request *req = evhttp_request_new(NULL, NULL);
    while (idv_text_next(&lines, "\n", &line))
        add_field(req, line);
    idv_note_clear();
    idv_rc rc = idvi_front_peer(&w, req, &peer, &origin);
    if (rc == IDV_OK)
        believed(req, &peer, conf.front.form);
    else
        PROMISE((rc == IDV_E_FORMAT || rc == IDV_E_LIMIT) && *idv_note() &&
                !peer.chain);
    (void)idvi_front_named(req);
    idv_peer_free(&peer);
    evhttp_request_free(req);
    return 0;
}
