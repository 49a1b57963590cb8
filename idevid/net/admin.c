/* SPDX-License-Identifier: Apache-2.0 */
/* A request to a running server's admin socket. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>

#include "net/http.h"
#include "net/http_reply.h"
#include "net/server.h"

struct talk {
    struct idvi_reply reply;
    idv_rc failed;
    char error[CURL_ERROR_SIZE];
};

static size_t on_header(char *p, size_t size, size_t n, void *talk)
{
    struct talk *t = talk;
    t->failed = idvi_reply_header(&t->reply, idv_bytes(p, size * n));
    return t->failed == IDV_OK ? size * n : 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *talk)
{
    struct talk *t = talk;
    t->failed = idvi_reply_body(&t->reply, idv_bytes(p, size * n));
    return t->failed == IDV_OK ? size * n : 0;
}

static idv_rc perform(CURL *e, const char *socket_path, struct talk *t)
{
    char where[300];
    snprintf(where, sizeof(where), "admin socket %s", socket_path);
    CURLcode code = curl_easy_perform(e);
    if (t->failed != IDV_OK)
        return idvi_http_refused(where, t->failed);
    if (code != CURLE_OK || !idvi_reply_whole(&t->reply, false))
        return idvi_http_failed(where, e, code, t->error);
    return IDV_OK;
}

static idv_rc prepare(CURL *e, const char *socket_path,
                      const struct idv_msg *req, int timeout_s, struct talk *t,
                      struct curl_slist **headers)
{
    IDV_AUTO(buf) url = {0};
    IDV_TRY(idvi_http_options(e));
    /* the name is never looked up; checks path */
    IDV_TRY(idvi_http_url("localhost", 80, req->path, &url));
    IDV_TRY(idvi_http_headers("localhost", 443, req, false, headers));
    idv_buf_clear(&url);
    IDV_TRY(idv_buf_putf(&url, "http://localhost%s", req->path));
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    curl_easy_setopt(e, CURLOPT_URL, url.p);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(e, CURLOPT_TIMEOUT, timeout_s > 0 ? (long)timeout_s : 30L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    idvi_http_method(e, req, &req->body);
    return IDV_OK;
}

idv_rc idv_admin_exchange(const char *socket_path, const struct idv_msg *req,
                          int timeout_s, struct idv_msg *reply)
{
    struct talk t = {.failed = IDV_OK};
    struct curl_slist *headers = NULL;
    CURL *e = curl_easy_init();
    if (!e)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idvi_reply_init(&t.reply, NULL);
    idv_rc rc = prepare(e, socket_path, req, timeout_s, &t, &headers);
    if (rc == IDV_OK)
        rc = perform(e, socket_path, &t);
    if (rc == IDV_OK)
        idv_msg_move(reply, &t.reply.msg);
    idvi_reply_free(&t.reply);
    curl_easy_cleanup(e);
    curl_slist_free_all(headers);
    return rc;
}
