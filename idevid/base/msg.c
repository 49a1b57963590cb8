/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, and the asks, tolds and calls that carry them. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include <idevid/auto.h>
#include <idevid/machine.h>

void idv_msg_init(struct idv_msg *m)
{
    memset(m, 0, sizeof(*m));
    m->retry_after = -1;
    m->max_age = -1;
    m->modified = -1;
    m->body.max = IDV_MAX_BODY;
}

void idv_msg_free(struct idv_msg *m)
{
    idv_buf_free(&m->body);
    OPENSSL_cleanse(m->authorization, sizeof(m->authorization));
    idv_msg_init(m);
}

void idv_msg_move(struct idv_msg *to, struct idv_msg *from)
{
    if (to == from)
        return;
    idv_buf_free(&to->body);
    *to = *from;
    OPENSSL_cleanse(from->authorization, sizeof(from->authorization));
    idv_msg_init(from);
}

static idv_rc put_text(char *to, size_t room, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= room)
        return idv_fail(IDV_E_ARG, "message: media type too long");
    memcpy(to, n ? text : "", n + 1);
    return IDV_OK;
}

idv_rc idv_msg_reply(struct idv_msg *m, int status, const char *media,
                     struct idv_bytes body)
{
    struct idv_buf copy = {.max = IDV_MAX_BODY};
    IDV_TRY(idv_buf_put(&copy, body));
    idv_rc rc = put_text(m->media, sizeof(m->media), media);
    if (rc != IDV_OK) {
        idv_buf_free(&copy);
        return rc;
    }
    m->status = status;
    idv_buf_move(&m->body, &copy);
    return IDV_OK;
}

idv_rc idv_msg_refuse(struct idv_msg *m, int status, const char *reason)
{
    char line[IDV_NOTE_MAX + 2];
    snprintf(line, sizeof(line) - 1, "%s", reason);
    strcat(line, "\n");
    return idv_msg_reply(m, status, "text/plain", idv_str(line));
}

void idv_peer_free(struct idv_peer *p)
{
    if (p->chain)
        idv_certs_free(p->chain);
    idv_buf_free(&p->staple);
    memset(p, 0, sizeof(*p));
}

void idv_ask_free(struct idv_ask *a)
{
    idv_msg_free(&a->connect.first);
    idv_msg_free(&a->msg);
    memset(a, 0, sizeof(*a));
    idv_msg_init(&a->connect.first);
    idv_msg_init(&a->msg);
}

void idv_told_free(struct idv_told *t)
{
    idv_peer_free(&t->peer);
    idv_msg_free(&t->msg);
    memset(t, 0, sizeof(*t));
    idv_msg_init(&t->msg);
}

void idv_call_init(struct idv_call *c, struct idv_peer *peer)
{
    memset(c, 0, sizeof(*c));
    c->peer = peer;
    idv_msg_init(&c->req);
    idv_msg_init(&c->reply);
    idv_msg_init(&c->up.msg);
}

void idv_call_free(struct idv_call *c)
{
    if (c->free_state)
        c->free_state(c->state);
    if (c->free_ready)
        c->free_ready(c->ready);
    idv_msg_free(&c->req);
    idv_msg_free(&c->reply);
    idv_msg_free(&c->up.msg);
    idv_call_init(c, NULL);
}
