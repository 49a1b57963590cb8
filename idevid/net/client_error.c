/* SPDX-License-Identifier: Apache-2.0 */
/* What curl says, in words that name the other end. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "net/client_int.h"

/* "Connection refused" as "connection refused" */
static void os_text(int number, char *out, size_t room)
{
    snprintf(out, room, "%s", strerror(number));
    if (out[0] && islower((unsigned char)out[1]))
        out[0] = (char)tolower((unsigned char)out[0]);
}

static idv_rc not_connected(struct idvi_client *c)
{
    char text[128];
    long number = 0;
    curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &number);
    if (c->refused)
        return idv_fail(IDV_E_IO, "%s: connection closed by the other end",
                        c->where);
    os_text((int)number, text, sizeof(text));
    return idv_fail(IDV_E_IO, "%s: %s", c->where,
                    number ? text : "no connection");
}

static idv_rc say(struct idvi_client *c, idv_rc rc, const char *what)
{
    return idv_fail(rc, "%s: %s%s%s", c->where, what, c->error[0] ? ": " : "",
                    c->error);
}

/* what a callback refused; its own note came first and stays */
static idv_rc by_callback(struct idvi_client *c)
{
    char note[IDV_NOTE_MAX];
    snprintf(note, sizeof(note), "%s", idv_note());
    idv_note_clear();
    return idv_fail(c->failed, "%s: %s", c->where,
                    note[0] ? note : idv_rc_name(c->failed));
}

idv_rc idvi_client_failed(struct idvi_client *c, CURLcode code)
{
    if (c->failed != IDV_OK)
        return by_callback(c);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return idv_fail(IDV_E_IO, "%s: name not found", c->where);
    case CURLE_COULDNT_CONNECT:
        return not_connected(c);
    case CURLE_OPERATION_TIMEDOUT:
        return idv_fail(IDV_E_TIMEOUT, "%s: no answer in time", c->where);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return say(c, IDV_E_IO, "TLS handshake failed");
    case CURLE_GOT_NOTHING:
        return idv_fail(IDV_E_IO, "%s: closed without an answer", c->where);
    case CURLE_PARTIAL_FILE:
        return say(c, IDV_E_IO, "answer cut short");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return say(c, IDV_E_IO, "connection broken");
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_HTTP2:
        return say(c, IDV_E_FORMAT, "answer is not HTTP");
    case CURLE_OUT_OF_MEMORY:
        return idv_fail(IDV_E_NOMEM, "out of memory");
    default:
        return say(c, IDV_E_IO, curl_easy_strerror(code));
    }
}
