/* SPDX-License-Identifier: Apache-2.0 */
/* What curl says, in words that name the other end. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "net/http.h"

/* "Connection refused" as "connection refused" */
static void os_text(int number, char *out, size_t room)
{
    snprintf(out, room, "%s", strerror(number));
    if (out[0] && islower((unsigned char)out[1]))
        out[0] = (char)tolower((unsigned char)out[0]);
}

static idv_rc not_connected(const char *where, CURL *easy)
{
    char text[128];
    long number = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    os_text((int)number, text, sizeof(text));
    return idv_fail(IDV_E_NET, "%s: %s", where,
                    number ? text : "no connection");
}

static idv_rc say(const char *where, idv_rc rc, const char *what,
                  const char *detail)
{
    return idv_fail(rc, "%s: %s%s%s", where, what, *detail ? ": " : "", detail);
}

idv_rc idvi_http_refused(const char *where, idv_rc rc)
{
    char note[IDV_NOTE_MAX];
    snprintf(note, sizeof(note), "%s", idv_note());
    idv_note_clear();
    return say(where, rc, note[0] ? note : idv_rc_name(rc), "");
}

idv_rc idvi_http_failed(const char *where, CURL *easy, CURLcode code,
                        const char *detail)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return say(where, IDV_E_NET, "name not found", "");
    case CURLE_COULDNT_CONNECT:
        return not_connected(where, easy);
    case CURLE_OPERATION_TIMEDOUT:
        return say(where, IDV_E_TIMEOUT, "no answer in time", "");
    case CURLE_SSL_CONNECT_ERROR:
        return say(where, IDV_E_NET, "TLS handshake failed", detail);
    case CURLE_PEER_FAILED_VERIFICATION:
        return say(where, IDV_E_REJECT, "certificate refused", detail);
    case CURLE_GOT_NOTHING:
        return say(where, IDV_E_NET, "closed without an answer", "");
    case CURLE_OK: /* in the middle of the header */
    case CURLE_PARTIAL_FILE:
        return say(where, IDV_E_NET, "answer cut short", detail);
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return say(where, IDV_E_NET, "connection broken", detail);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return say(where, IDV_E_FORMAT, "answer is not HTTP", detail);
    case CURLE_OUT_OF_MEMORY: /* curl's word for a header line over 100 KB */
        return say(where, IDV_E_LIMIT, "answer too long, or no memory", "");
    default:
        return say(where, IDV_E_NET, curl_easy_strerror(code), detail);
    }
}
