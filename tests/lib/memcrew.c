/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the lanes of a crew without a network, on a clock of its own. */
#include "tests/unit/codec.h"

#include "tests/lib/memcrew.h"

struct memcrew_lane {
    struct memcrew *m;
    size_t number;
    struct idv_ask ask;
    const struct memcrew_end *end; /* connected to, or being so */
    struct idv_connect announced;
    bool open, first, over;
    int64_t began, ready; /* of what is asked */
    int64_t told_stalled;
};

/* --- telling -------------------------------------------------------------- */

static void news(struct memcrew *m);
static void begin(struct memcrew_lane *l);

static void check_ask(const struct idv_ask *a)
{
    const struct idv_connect *c = &a->connect;
    switch (a->kind) {
    case IDV_ASK_CONNECT:
        assert_true(c->host[0] && c->port && c->first.path[0] == '/');
        assert_int_equal(c->first.body.n, 0);
        break;
    case IDV_ASK_EXCHANGE:
        assert_true(a->msg.path[0] == '/');
        break;
    case IDV_ASK_LOOKUP:
        assert_true(c->host[0] && c->port);
        break;
    case IDV_ASK_WAIT:
        assert_true(a->seconds > 0 || a->seconds == IDV_FOREVER);
        assert_true(a->seconds != IDV_FOREVER || a->news);
        break;
    case IDV_ASK_DONE:
        assert_int_equal(a->rc == IDV_OK, a->note[0] == 0);
        break;
    default:
        fail_msg("the machine asks nothing");
    }
}

static void part(struct memcrew_lane *l)
{
    struct memcrew *m = l->m;
    for (size_t i = 0; i < m->crew.lanes; i++) {
        if (&m->lanes[i] == l)
            continue;
        m->lanes[i].over = true;
        m->lanes[i].open = false;
    }
}

static void count_open(struct memcrew *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->crew.lanes; i++)
        n += m->lanes[i].open;
    m->at_once = n > m->at_once ? n : m->at_once;
}

/* what a step asked; told is used up */
static void obey(struct memcrew_lane *l)
{
    struct memcrew *m = l->m;
    const bool stir = l->ask.stir;
    check_ask(&l->ask);
    if (l->ask.alone)
        part(l);
    if (l->ask.kind == IDV_ASK_DONE) {
        m->done = true;
        m->rc = l->ask.rc;
        strcpy(m->note, l->ask.note);
        return;
    }
    begin(l);
    count_open(m);
    if (stir)
        news(m);
}

static void step(struct memcrew_lane *l, struct idv_told *told,
                 struct idv_ask *ask)
{
    struct memcrew *m = l->m;
    if (++m->steps > 100000)
        fail_msg("the machine never ends");
    assert_false(l->over);
    told->at_ms = m->now_ms;
    OK(m->crew.step(m->crew.self, l->number, told, ask));
    assert_string_equal(idv_note(), "");
    idv_told_free(told);
}

static void tell(struct memcrew_lane *l, struct idv_told *told)
{
    idv_ask_free(&l->ask);
    step(l, told, &l->ask);
    obey(l);
}

static struct idv_told new_told(enum idv_told_kind kind)
{
    struct idv_told told = {.kind = kind};
    idv_msg_init(&told.msg);
    return told;
}

static void tell_kind(struct memcrew_lane *l, enum idv_told_kind kind)
{
    struct idv_told told = new_told(kind);
    tell(l, &told);
}

static void tell_lost(struct memcrew_lane *l, idv_rc rc)
{
    struct idv_told told = new_told(IDV_TOLD_LOST);
    told.rc = rc;
    strcpy(told.note, idv_note());
    idv_note_clear();
    l->open = false;
    tell(l, &told);
}

static void tell_stalled(struct memcrew_lane *l)
{
    struct idv_told told = new_told(IDV_TOLD_STALLED);
    struct idv_ask ask = {0};
    idv_ask_free(&ask);
    told.rc = IDV_E_TIMEOUT;
    strcpy(told.note, "no progress");
    told.stalled_ms = (int)(l->m->now_ms - l->began);
    l->told_stalled = l->m->now_ms;
    step(l, &told, &ask);
    if (ask.kind == IDV_ASK_NOTHING) {
        idv_ask_free(&ask);
        return;
    }
    l->open = false;
    idv_ask_free(&l->ask);
    l->ask = ask;
    obey(l);
}

static void news(struct memcrew *m)
{
    for (size_t i = 0; i < m->crew.lanes && !m->done; i++) {
        struct memcrew_lane *l = &m->lanes[i];
        if (!l->over && l->ask.kind == IDV_ASK_WAIT && l->ask.news)
            tell_kind(l, IDV_TOLD_NEWS);
    }
}

/* --- beginning ------------------------------------------------------------ */

static int64_t after(const struct memcrew *m, int64_t ms)
{
    return ms == MEMCREW_NEVER ? MEMCREW_NEVER : m->now_ms + ms;
}

static const struct memcrew_end *end_at(const struct memcrew *m,
                                        const char *host)
{
    for (size_t i = 0; i < m->n_ends; i++) {
        if (strcmp(m->ends[i].host, host) == 0)
            return &m->ends[i];
    }
    return NULL;
}

static void begin_connect(struct memcrew_lane *l)
{
    struct memcrew *m = l->m;
    l->announced = l->ask.connect;
    const char *where =
        l->announced.address[0] ? l->announced.address : l->announced.host;
    l->end = end_at(m, where);
    l->open = l->first = true;
    l->ready = after(m, l->end ? l->end->connect_ms : 0);
    if (m->n_begun == sizeof(m->begun) / sizeof(*m->begun))
        return;
    struct memcrew_begun *b = &m->begun[m->n_begun++];
    *b = (struct memcrew_begun){.at_ms = m->now_ms, .lane = l->number};
    strcpy(b->host, where);
}

static void begin_exchange(struct memcrew_lane *l)
{
    const struct idv_msg *a = &l->announced.first, *m = &l->ask.msg;
    l->ready = after(l->m, l->open && l->end ? l->end->answer_ms : 0);
    if (!l->first)
        return;
    assert_true(l->open);
    assert_int_equal(m->verb, a->verb);
    assert_string_equal(m->path, a->path);
    assert_string_equal(m->media, a->media);
    assert_string_equal(m->accept, a->accept);
    l->first = false;
}

static void begin(struct memcrew_lane *l)
{
    l->began = l->m->now_ms;
    l->told_stalled = 0;
    if (l->ask.kind == IDV_ASK_CONNECT) {
        begin_connect(l);
    } else if (l->ask.kind == IDV_ASK_EXCHANGE) {
        begin_exchange(l);
    } else if (l->ask.kind == IDV_ASK_LOOKUP) {
        l->open = false;
        l->ready = l->m->now_ms + 10;
    } else {
        l->open = l->open && !l->ask.close;
        l->ready = l->ask.seconds == IDV_FOREVER
                       ? MEMCREW_NEVER
                       : l->began + (int64_t)l->ask.seconds * 1000;
    }
}

/* --- what comes of it ----------------------------------------------------- */

static void do_connect(struct memcrew_lane *l)
{
    struct idv_told told = new_told(IDV_TOLD_CONNECTED);
    const struct idv_connect *c = &l->announced;
    idv_rc rc = l->end && l->end->reg
                    ? fakereg_connect(l->end->reg, c, &told.peer)
                    : idv_fail(IDV_E_NET, "%s: connection refused", c->host);
    if (rc == IDV_OK && c->verify)
        rc = c->verify(c->verify_ctx, told.peer.chain);
    if (rc == IDV_OK) {
        tell(l, &told);
        return;
    }
    idv_told_free(&told);
    tell_lost(l, rc);
}

static void do_lookup(struct memcrew_lane *l)
{
    struct idv_told told = new_told(IDV_TOLD_ADDRESSES);
    l->m->lookups++;
    for (const char *const *a = l->m->addresses; a && *a; a++) {
        if (told.addresses.n < IDV_MAX_ADDRESSES)
            strcpy(told.addresses.list[told.addresses.n++], *a);
    }
    if (told.addresses.n)
        tell(l, &told);
    else
        tell_lost(l, idv_fail(IDV_E_NET, "no such name"));
}

static void do_exchange(struct memcrew_lane *l)
{
    struct idv_told told = new_told(IDV_TOLD_REPLY);
    struct idv_msg req;
    idv_msg_init(&req);
    idv_msg_move(&req, &l->ask.msg);
    idv_rc rc = l->open ? fakereg_exchange(l->end->reg, &req, &told.msg)
                        : idv_fail(IDV_E_NET, "connection is gone");
    idv_msg_free(&req);
    if (rc == IDV_OK) {
        tell(l, &told);
        return;
    }
    idv_told_free(&told);
    tell_lost(l, rc);
}

static int64_t seconds(int s, int otherwise)
{
    return (s ? s : otherwise) * (int64_t)1000;
}

static bool stalls(const struct memcrew_lane *l)
{
    if (l->ask.kind == IDV_ASK_CONNECT && !l->ask.patient)
        return false;
    return !(l->end && l->end->drips);
}

/* when something happens in this lane, by whatever */
static int64_t due(const struct memcrew_lane *l)
{
    const struct memcrew *m = l->m;
    if (l->over)
        return MEMCREW_NEVER;
    if (l->ask.kind == IDV_ASK_WAIT)
        return l->ready;
    int64_t stall = l->began + seconds(m->stall_s, 5);
    if (l->told_stalled && l->told_stalled + 1000 > stall)
        stall = l->told_stalled + 1000;
    int64_t at = l->began + seconds(m->exchange_s, 60);
    at = l->ready < at ? l->ready : at;
    return stalls(l) && stall < at ? stall : at;
}

static void happen(struct memcrew_lane *l)
{
    struct memcrew *m = l->m;
    if (l->ask.kind == IDV_ASK_WAIT)
        tell_kind(l, IDV_TOLD_ELAPSED);
    else if (l->ready <= m->now_ms && l->ask.kind == IDV_ASK_CONNECT)
        do_connect(l);
    else if (l->ready <= m->now_ms && l->ask.kind == IDV_ASK_LOOKUP)
        do_lookup(l);
    else if (l->ready <= m->now_ms)
        do_exchange(l);
    else if (m->now_ms >= l->began + seconds(m->exchange_s, 60))
        tell_lost(l, idv_fail(IDV_E_TIMEOUT, "no answer"));
    else if (l->ask.patient)
        tell_stalled(l);
    else
        tell_lost(l, idv_fail(IDV_E_TIMEOUT, "no progress"));
}

/* --- runs ----------------------------------------------------------------- */

void memcrew_begin(struct memcrew *m, struct idv_crew crew)
{
    m->crew = crew;
    m->lanes = calloc(crew.lanes, sizeof(*m->lanes));
    assert_non_null(m->lanes);
    for (size_t i = 0; i < crew.lanes; i++) {
        m->lanes[i].m = m;
        m->lanes[i].number = i;
        idv_ask_free(&m->lanes[i].ask);
    }
    for (size_t i = 0; i < crew.lanes && !m->done; i++) {
        if (!m->lanes[i].over)
            tell_kind(&m->lanes[i], IDV_TOLD_START);
    }
}

static struct memcrew_lane *earliest(struct memcrew *m)
{
    struct memcrew_lane *l = &m->lanes[0];
    for (size_t i = 1; i < m->crew.lanes; i++) {
        if (due(&m->lanes[i]) < due(l))
            l = &m->lanes[i];
    }
    return l;
}

void memcrew_run(struct memcrew *m)
{
    m->rest = false;
    while (!m->done && !m->rest) {
        struct memcrew_lane *l = earliest(m);
        const int64_t beside = m->next ? m->next(m->arg) : MEMCREW_NEVER;
        const int64_t at = beside <= due(l) ? beside : due(l);
        m->rest = at == MEMCREW_NEVER;
        if (m->until_ms && at > m->until_ms) {
            m->now_ms = m->until_ms;
            return;
        }
        if (m->rest)
            return;
        m->now_ms = at > m->now_ms ? at : m->now_ms;
        if (beside <= due(l)) {
            m->act(m->arg);
            news(m);
        } else {
            happen(l);
        }
    }
}

void memcrew_end(struct memcrew *m)
{
    for (size_t i = 0; m->lanes && i < m->crew.lanes; i++)
        idv_ask_free(&m->lanes[i].ask);
    free(idv_steal(&m->lanes));
}
