/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pledge as a whole: bytes become what its lanes are told. Whatever that
 * is, it asks something well-formed, imprints only by a voucher of the maker
 * and its own domain's CA, remembers no more than it may, and joins once the
 * network is well again.
 */
#include "tests/unit/codec.h"

#include "tests/fuzz/fuzz.h"
#include "tests/lib/fakereg.h"

size_t fuzz_places = 16;

#define LANES 3
#define WELL_STEPS 20000 /* until joined, once all is well */

static struct pki pki;
static struct fakedev dev;
static struct fakereg reg;
static STACK_OF(X509) * chains[6];

struct lane {
    struct idv_ask ask;
    STACK_OF(X509) * chain; /* of its connection; borrowed */
    struct idv_connect connect;
    int64_t until, began;
    bool open, over;
};

struct run {
    const uint8_t *p, *end;
    struct idv_pledge *pledge;
    struct idv_crew crew;
    struct lane lanes[LANES];
    int64_t now;
    bool done, stir;
    idv_rc rc;
};

/* --- the world, once ------------------------------------------------------ */

static void quiet(void *ctx, enum idv_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

static STACK_OF(X509) * many(void)
{
    STACK_OF(X509) *out = pki_stack(pki.registrar.cert, pki.domain_ca.cert);
    while (sk_X509_num(out) <= IDV_MAX_CHAIN) {
        X509_up_ref(pki.domain_ca.cert);
        PROMISE(sk_X509_push(out, pki.domain_ca.cert));
    }
    return out;
}

static void end_world(void)
{
    fakedev_free(&dev);
    fakereg_free(&reg);
    for (size_t i = 2; i < 6; i++)
        idv_certs_free(chains[i]);
    pki_free(&pki);
}

static void make_world(void)
{
    static const char *const none[] = {NULL};
    if (pki.anchors)
        return;
    pki_make(&pki);
    pki.env.env.log = quiet;
    fakedev_init(&dev, &pki);
    fakereg_init(&reg, &pki);
    chains[0] = pki.tls_chain;
    chains[1] = pki.rogue_chain;
    chains[2] = pki_stack(pki.registrar.cert, NULL);
    chains[3] = pki_stack(pki.registrar.cert, pki.rogue_ca.cert);
    chains[4] = many();
    chains[5] = sk_X509_new_null();
    dev.conf.registrars = none;
    dev.conf.attempts = 0;
    dev.conf.lanes = LANES;
    dev.conf.trust = dev.trust;
    atexit(end_world);
}

/* --- what must hold ------------------------------------------------------- */

static void check_ask(const struct idv_ask *a)
{
    const struct idv_connect *c = &a->connect;
    PROMISE(strlen(a->note) < sizeof(a->note));
    switch (a->kind) {
    case IDV_ASK_CONNECT:
        PROMISE(c->host[0] && c->port && c->key && c->chain);
        PROMISE(c->first.path[0] == '/' && !c->first.body.n);
        break;
    case IDV_ASK_EXCHANGE:
        PROMISE(a->msg.path[0] == '/' && a->msg.body.n <= IDV_MAX_BODY);
        break;
    case IDV_ASK_WAIT:
        PROMISE(a->seconds > 0 || (a->seconds == IDV_FOREVER && a->news));
        PROMISE(a->seconds <= 3600);
        break;
    case IDV_ASK_DONE:
        PROMISE((a->rc == IDV_OK) == !a->note[0]);
        break;
    default:
        PROMISE(!"asks nothing");
    }
}

static void check_state(const struct run *r)
{
    static struct idv_pledge_snapshot now;
    idv_pledge_snapshot(r->pledge, r->now, &now);
    PROMISE(now.n <= IDV_MAX_CANDIDATES);
    for (size_t i = 0; i < now.n_lanes; i++) {
        const int c = now.lanes[i].candidate;
        PROMISE(c < (int)now.n && (c < 0 || now.candidates[c].busy));
        for (size_t k = 0; k < i && c >= 0; k++)
            PROMISE(now.lanes[k].candidate != c);
    }
    if (idv_trust_state(dev.trust) == IDV_TRUST_NONE)
        return;
    PROMISE(reg.vouchers > 0);
    PROMISE(idv_cert_same_key(idv_trust_pin(dev.trust), pki.domain_ca.cert));
}

/* --- telling -------------------------------------------------------------- */

static void obey(struct run *r, size_t i)
{
    struct lane *l = &r->lanes[i];
    check_ask(&l->ask);
    for (size_t k = 0; l->ask.alone && k < LANES; k++)
        r->lanes[k].over = r->lanes[k].over || k != i;
    r->stir = r->stir || l->ask.stir;
    r->done = l->ask.kind == IDV_ASK_DONE;
    r->rc = l->ask.rc;
    l->began = r->now;
    l->until = INT64_MAX;
    if (l->ask.kind != IDV_ASK_WAIT)
        return;
    l->open = l->open && !l->ask.close;
    if (l->ask.seconds != IDV_FOREVER)
        l->until = r->now + (int64_t)l->ask.seconds * 1000;
}

static void tell(struct run *r, size_t i, struct idv_told *told)
{
    struct lane *l = &r->lanes[i];
    struct idv_ask ask = {0};
    idv_ask_free(&ask);
    told->at_ms = r->now;
    idv_note_clear();
    PROMISE(r->crew.step(r->crew.self, i, told, &ask) == IDV_OK);
    PROMISE(!*idv_note());
    const bool goes_on =
        told->kind == IDV_TOLD_STALLED && ask.kind == IDV_ASK_NOTHING;
    idv_told_free(told);
    if (goes_on) {
        idv_ask_free(&ask);
        return;
    }
    idv_ask_free(&l->ask);
    l->ask = ask;
    obey(r, i);
    check_state(r);
}

static struct idv_told new_told(enum idv_told_kind kind)
{
    struct idv_told told = {.kind = kind};
    idv_msg_init(&told.msg);
    return told;
}

static void tell_kind(struct run *r, size_t i, enum idv_told_kind kind)
{
    struct idv_told told = new_told(kind);
    told.rc = IDV_E_NET;
    told.stalled_ms = (int)(r->now - r->lanes[i].began);
    if (kind == IDV_TOLD_LOST)
        r->lanes[i].open = false;
    tell(r, i, &told);
}

static void news(struct run *r)
{
    for (size_t i = 0; i < LANES && !r->done; i++) {
        const struct lane *l = &r->lanes[i];
        if (!l->over && l->ask.kind == IDV_ASK_WAIT && l->ask.news)
            tell_kind(r, i, IDV_TOLD_NEWS);
    }
}

/* --- the other end -------------------------------------------------------- */

static void connect_to(struct run *r, size_t i, STACK_OF(X509) * chain)
{
    struct lane *l = &r->lanes[i];
    struct idv_told told = new_told(IDV_TOLD_CONNECTED);
    l->connect = l->ask.connect;
    l->chain = chain;
    reg.chain = chain;
    idv_rc rc = fakereg_connect(&reg, &l->connect, &told.peer);
    if (rc == IDV_OK && l->connect.verify)
        rc = l->connect.verify(l->connect.verify_ctx, chain);
    idv_note_clear();
    if (rc != IDV_OK) {
        idv_told_free(&told);
        tell_kind(r, i, IDV_TOLD_LOST);
        return;
    }
    l->open = true;
    tell(r, i, &told);
}

/* Its log, by which it knows who is imprinted, is kept short. */
static void set_log(void)
{
    const bool imprinted = idv_trust_state(dev.trust) != IDV_TRUST_NONE;
    strcpy(reg.log, imprinted ? "vs+" : "");
}

/* the script's answer, with a bit turned unless bit is SIZE_MAX */
static void answer(struct run *r, size_t i, size_t bit)
{
    struct lane *l = &r->lanes[i];
    struct idv_told told = new_told(IDV_TOLD_REPLY);
    struct idv_msg req;
    if (!l->open) {
        tell_kind(r, i, IDV_TOLD_LOST);
        return;
    }
    set_log();
    idv_msg_init(&req);
    idv_msg_move(&req, &l->ask.msg);
    reg.chain = l->chain;
    reg.last = l->connect;
    PROMISE(fakereg_exchange(&reg, &req, &told.msg) == IDV_OK);
    idv_msg_free(&req);
    if (bit != SIZE_MAX && told.msg.body.n)
        told.msg.body.p[bit / 8 % told.msg.body.n] ^= (uint8_t)(1 << bit % 8);
    tell(r, i, &told);
}

/* --- bytes ---------------------------------------------------------------- */

static uint8_t byte(struct run *r)
{
    return r->p < r->end ? *r->p++ : 0;
}

static size_t word(struct run *r)
{
    const size_t high = byte(r);
    return high << 8 | byte(r);
}

static void odd_answer(struct run *r, size_t i)
{
    static const char *const media[] = {
        IDV_MEDIA_VOUCHER_CMS, IDV_MEDIA_VOUCHER_JWS, IDV_MEDIA_CERTS_ONLY,
        IDV_MEDIA_CSRATTRS,    "application/json",    ""};
    static const char *const places[] = {"",
                                         "/there",
                                         "https://other.example/x",
                                         "https://r1.example:443/y",
                                         "http://plain.example",
                                         "//"};
    struct idv_told told = new_told(IDV_TOLD_REPLY);
    struct idv_msg *m = &told.msg;
    m->status = 100 + (int)(word(r) % 500);
    m->retry_after = (int)word(r) - 1;
    strcpy(m->media, media[byte(r) % 6]);
    strcpy(m->location, places[byte(r) % 6]);
    size_t n = word(r) % 512;
    n = n < (size_t)(r->end - r->p) ? n : (size_t)(r->end - r->p);
    PROMISE(idv_buf_put(&m->body, idv_bytes(r->p, n)) == IDV_OK);
    r->p += n;
    r->lanes[i].ask.kind = IDV_ASK_NOTHING;
    tell(r, i, &told);
}

static void some_offer(struct run *r)
{
    const uint8_t what = byte(r), which = byte(r);
    struct idv_offer o = {.origin = (enum idv_origin)(what % 6),
                          .port = (uint16_t)(443 * (what / 6 % 8 != 7)),
                          .gone = what & 0x80};
    snprintf(o.host, sizeof(o.host), which % 7 ? "r%d.example" : "fe80::%d%%e0",
             which);
    if (what & 0x40)
        strcpy(o.path, "/path");
    if (o.origin == IDV_FROM_CLOUD) /* has rules of its own */
        return;
    idv_rc rc = idv_pledge_offer(r->pledge, &o);
    PROMISE((rc == IDV_OK) == (!o.path[0] && o.port && what % 6 < 5));
    idv_note_clear();
    news(r);
}

static void time_passes(struct run *r, int64_t ms)
{
    r->now += ms;
    for (size_t i = 0; i < LANES && !r->done; i++) {
        const struct lane *l = &r->lanes[i];
        if (!l->over && l->ask.kind == IDV_ASK_WAIT && l->until <= r->now)
            tell_kind(r, i, IDV_TOLD_ELAPSED);
    }
}

/* what happens to a lane that waits for the other end */
static void happen(struct run *r, size_t i, uint8_t how)
{
    const struct lane *l = &r->lanes[i];
    const bool connects = l->ask.kind == IDV_ASK_CONNECT;
    if (how == 0 && l->ask.patient)
        tell_kind(r, i, IDV_TOLD_STALLED);
    else if (how == 0 || how == 1)
        tell_kind(r, i, IDV_TOLD_LOST);
    else if (connects)
        connect_to(r, i, chains[how == 2 ? byte(r) % 6 : 0]);
    else if (how == 2 && l->open)
        odd_answer(r, i);
    else
        answer(r, i, how == 3 ? word(r) : SIZE_MAX);
}

static void event(struct run *r)
{
    const uint8_t what = byte(r);
    const size_t i = what >> 4 & 3;
    switch (what & 15) {
    case 8:
        some_offer(r);
        return;
    case 9:
        time_passes(r, (int64_t)word(r) * 100);
        return;
    case 10:
        idv_pledge_link_up(r->pledge);
        return;
    case 11: /* the wall clock leaps */
        pki.env.now = PKI_NOW + (int64_t)(byte(r) - 128) * 10 * PKI_DAY;
        return;
    case 12:
        news(r);
        return;
    default:
        if (i < LANES && !r->lanes[i].over &&
            r->lanes[i].ask.kind != IDV_ASK_WAIT)
            happen(r, i, what & 7);
    }
}

/* --- and all is well again ------------------------------------------------ */

static void well_again(struct run *r)
{
    const struct idv_offer good = {
        .origin = IDV_FROM_GRASP, .host = "good.example", .port = 443};
    pki.env.now = PKI_NOW;
    PROMISE(idv_pledge_offer(r->pledge, &good) == IDV_OK);
    if (!r->done)
        news(r);
    for (int steps = 0; !r->done; steps++) {
        PROMISE(steps < WELL_STEPS);
        for (size_t i = 0; i < LANES && !r->done; i++) {
            if (!r->lanes[i].over && r->lanes[i].ask.kind != IDV_ASK_WAIT)
                happen(r, i, 7);
        }
        time_passes(r, 1000);
    }
    PROMISE(r->rc == IDV_OK);
    PROMISE(idv_trust_state(dev.trust) == IDV_TRUST_ENROLLED);
}

static void begin(struct run *r)
{
    reg.log[0] = 0;
    reg.vouchers = 0;
    dev.events[0] = 0;
    PROMISE(idv_pledge_new(&dev.conf, &pki.env.env, &r->pledge) == IDV_OK);
    r->crew = idv_pledge_join_crew(r->pledge);
    for (size_t i = 0; i < LANES; i++) {
        idv_ask_free(&r->lanes[i].ask);
        tell_kind(r, i, IDV_TOLD_START);
    }
}

static void settle(struct run *r)
{
    for (int i = 0; r->stir && !r->done; i++) {
        PROMISE(i < 100);
        r->stir = false;
        news(r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct run r = {.p = data, .end = data + n};
    make_world();
    begin(&r);
    for (int events = 0; r.p < r.end && !r.done && events < 1000; events++) {
        event(&r);
        settle(&r);
    }
    well_again(&r);
    for (size_t i = 0; i < LANES; i++)
        idv_ask_free(&r.lanes[i].ask);
    idv_pledge_free(r.pledge);
    PROMISE(idv_trust_reset(dev.trust) == IDV_OK);
    return 0;
}
