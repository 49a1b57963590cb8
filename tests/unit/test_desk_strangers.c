/* SPDX-License-Identifier: Apache-2.0 */
/* Who is turned away before anything is known of a device. */
#include "tests/unit/desk.h"

/* --- who asks ------------------------------------------------------------- */

static void refused_cms(struct scene *s, struct idv_bytes cms, const X509 *peer,
                        enum idv_factory_why expected, const char *part)
{
    enum idv_factory_why why = IDV_WHY_NONE;
    IDV_AUTO(buf) reply = {0};
    idv_note_clear();
    const struct idv_desk_peer from = {"192.0.2.7", peer};
    assert_int_not_equal(
        idv_desk_issue(s->desk, cms, peer ? &from : NULL, &reply, &why),
        IDV_OK);
    assert_int_equal(why, expected);
    assert_non_null(strstr(idv_note(), part));
    assert_int_equal(reply.n, 0);
    idv_note_clear();
}

static void seal_by(struct scene *s, const struct pki_id *id,
                    struct idv_buf *cms)
{
    struct idv_factory_request r;
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    OK(idv_factory_request_seal(&r, id->key, id->cert, NULL, cms));
    idv_factory_request_free(&r);
}

static void other_stations(void **state)
{
    struct scene *s = *state;
    IDV_AUTO(buf) rogue = {0};
    IDV_AUTO(buf) named = {0};
    IDV_AUTO(buf) ours = {0};
    seal_by(s, &s->pki.rogue, &rogue);
    refused_cms(s, idv_view(&rogue), NULL, IDV_WHY_STATION, "request");
    seal_by(s, &s->other_station, &named);
    refused_cms(s, idv_view(&named), NULL, IDV_WHY_STATION,
                "says station 'station-1'");
    seal_by(s, &s->station, &ours);
    refused_cms(s, idv_view(&ours), s->other_station.cert, IDV_WHY_STATION,
                "sent by");
    s->pki.env.now += 500 * (int64_t)PKI_DAY;
    refused_cms(s, idv_view(&ours), NULL, IDV_WHY_STATION, "expired");
    assert_int_equal(book_entries(&s->book, "refused"), 0);
}

/* --- who asks too often --------------------------------------------------- */

struct turned_away {
    unsigned entries, others;
    int64_t count, of_flood;
    char last[512];
};

static bool is_text(const struct idv_json *o, const char *name, const char *it)
{
    const char *text = idv_json_text(idv_json_get(o, name));
    return text && strcmp(text, it) == 0;
}

static bool add_entry(void *arg, const struct idv_journal_entry *e)
{
    struct turned_away *t = arg;
    IDV_AUTO_PTR(idv_json) o = NULL;
    int64_t n = 0;
    if (strcmp(e->kind, "turned-away") != 0)
        return true;
    assert_string_equal(e->serial_number, "");
    OK(idv_json_parse(idv_view(&e->body), 0, &o));
    OK(idv_json_int(idv_json_get(o, "count"), "count", &n));
    t->entries++;
    t->count += n;
    t->others += is_text(o, "peer", "others");
    if (is_text(o, "peer", "192.0.2.7"))
        t->of_flood += n;
    snprintf(t->last, sizeof(t->last), "%.*s", (int)e->body.n,
             (const char *)e->body.p);
    return true;
}

static struct turned_away turned_away(struct scene *s)
{
    struct turned_away t = {0};
    OK(s->book.store.each_entry(s->book.store.self, 0, add_entry, &t));
    return t;
}

static void flood(struct scene *s, int n)
{
    for (int i = 0; i < n; i++)
        refused_cms(s, idv_str("not CMS"), s->other_station.cert,
                    IDV_WHY_REQUEST, "CMS");
}

/* one entry at once, one for the rest of the hour, whoever comes next */
static void flooder(void **state)
{
    struct scene *s = *state;
    flood(s, 300);
    struct turned_away t = turned_away(s);
    assert_int_equal(t.entries, 1);
    assert_non_null(strstr(t.last, "\"count\":1,\"peer\":\"192.0.2.7\","
                                   "\"subject\":\"CN=station-2\","
                                   "\"text\":\"request: "));
    assert_non_null(strstr(t.last, "\"why\":\"request\"}"));
    s->pki.env.now += 3599;
    flood(s, 1);
    assert_int_equal(turned_away(s).entries, 1);
    s->pki.env.now += 1;
    refused_cms(s, idv_str("{}"), NULL, IDV_WHY_REQUEST, "CMS");
    t = turned_away(s);
    assert_int_equal(t.entries, 3);
    assert_int_equal(t.of_flood, 301);
    assert_non_null(strstr(t.last, "\"peer\":\"file\",\"text\":"));
    /* the clock goes back: that is another hour */
    flood(s, 2);
    s->pki.env.now -= 7200;
    flood(s, 5);
    assert_int_equal(turned_away(s).entries, 6);
    /* what is not told yet is at the end */
    idv_desk_free(s->desk);
    s->desk = NULL;
    t = turned_away(s);
    assert_int_equal(t.entries, 7);
    assert_int_equal(t.count, 309);
    assert_int_equal(book_entries(&s->book, "refused"), 0);
}

static void flood_of_addresses(void **state)
{
    struct scene *s = *state;
    char address[64];
    for (int i = 0; i < 1000; i++) {
        const struct idv_desk_peer peer = {address, NULL};
        snprintf(address, sizeof(address), "2001:db8::%x", (unsigned)i);
        (void)idv_fail(IDV_E_REJECT, "number %d", i);
        idv_desk_turned_away(s->desk, &peer, IDV_WHY_STATION);
        assert_non_null(strstr(idv_note(), "number")); /* it stays */
        idv_note_clear();
    }
    struct turned_away t = turned_away(s);
    assert_int_equal(t.entries, 33);
    assert_int_equal(t.others, 1);
    s->pki.env.now += 3600;
    idv_desk_turned_away(s->desk, NULL, IDV_WHY_REQUEST);
    t = turned_away(s);
    assert_int_equal(t.entries, 35);
    assert_int_equal(t.others, 2);
    assert_int_equal(t.count, 1001);
    assert_string_equal(idv_note(), "");
}

static void not_requests(void **state)
{
    struct scene *s = *state;
    const size_t n = (size_t)16 << 20;
    uint8_t *big = calloc(1, n);
    IDV_AUTO(buf) cms = {0};
    assert_non_null(big);
    refused_cms(s, idv_bytes(big, n), NULL, IDV_WHY_REQUEST, "16777216 bytes");
    free(big);
    refused_cms(s, idv_str("{}"), NULL, IDV_WHY_REQUEST, "CMS");
    refused_cms(s, idv_bytes(NULL, 0), NULL, IDV_WHY_REQUEST, "CMS");
    seal_by(s, &s->station, &cms);
    refused_cms(s, idv_bytes(cms.p, cms.n - 1), NULL, IDV_WHY_REQUEST, "CMS");
}

static void profiles(void **state)
{
    struct scene *s = *state;
    struct idv_factory_request r;
    s->conf.profiles = 1u << IDV_PROFILE_LEAN;
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_REQUEST, "profile tcg: is not taken");
    s->conf.profiles = 0x1f;
    s->conf.roots = NULL;
    desk_again(s);
    sound(s, &s->tpm, IDV_PROFILE_TCG, SN, &r);
    is_refused(s, &r, IDV_WHY_REQUEST, "knows no vendor roots");
    assert_int_equal(book_entries(&s->book, "refused"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(other_stations),     DESK_TEST(flooder),
        DESK_TEST(flood_of_addresses), DESK_TEST(not_requests),
        DESK_TEST(profiles),
    };
    return cmocka_run_group_tests_name("desk-strangers", tests, scene_begin,
                                       scene_end);
}
