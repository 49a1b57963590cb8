/* SPDX-License-Identifier: Apache-2.0 */
/* Files of devices and of sales: whole transactions, again without harm, up to
 * the line that is wrong; on each database program. */
#include "tests/unit/codec.h"

#include "tests/unit/store.h"
#include "tests/unit/stored.h"

#define MANY 4500 /* more than two transactions */
#define CUSTOMER "ZG9tYWluIG9mIHRoZSBmaXJzdCBjdXN0b21lcg=="
#define SECOND "ZG9tYWluIG9mIGFub3RoZXIgY3VzdG9tZXIuLi4="
#define KEYID                                                                  \
    "BBQBAgMEBQYHCAkKCwwNDg8QERITFA==" /* OCTET STRING of 20 bytes             \
                                        */

struct fixture {
    struct stored in;
    struct idv_db_imported got;
    /* the file: lines of text, or generated ones up to n */
    const char *text;
    unsigned n, at, bad; /* line bad is not one */
    unsigned commits;
    char line[256];
};

/* --- files ---------------------------------------------------------------- */

static idv_rc next(void *arg, struct idv_bytes *line, bool *more)
{
    struct fixture *f = arg;
    *more = f->at < f->n;
    if (!*more)
        return IDV_OK;
    snprintf(f->line, sizeof(f->line), "D-%05u,%s%s", f->at,
             f->at + 1 == f->bad ? "!" : "", KEYID);
    f->at++;
    *line = idv_str(f->line);
    return IDV_OK;
}

static idv_rc next_of_text(void *arg, struct idv_bytes *line, bool *more)
{
    struct fixture *f = arg;
    const size_t n = strcspn(f->text, "\n");
    *more = *f->text != 0;
    *line = idv_bytes(f->text, n);
    f->text += f->text[n] ? n + 1 : n;
    return IDV_OK;
}

static void committed(void *arg, const struct idv_db_imported *sofar)
{
    struct fixture *f = arg;
    (void)sofar;
    f->commits++;
}

static idv_rc load(struct fixture *f, unsigned n, unsigned bad)
{
    const struct idv_db_import from = {.rows = IDV_DB_DEVICES,
                                       .by = test_by,
                                       .next = next,
                                       .progress = committed,
                                       .arg = f};
    f->n = n;
    f->at = 0;
    f->bad = bad;
    f->commits = 0;
    return idv_db_import(f->in.db, &from, &f->got);
}

static idv_rc read_text(struct fixture *f, enum idv_db_rows rows,
                        const char *text)
{
    const struct idv_db_import from = {
        .rows = rows, .by = test_by, .next = next_of_text, .arg = f};
    f->text = text;
    return idv_db_import(f->in.db, &from, &f->got);
}

#define SALES(f, text) read_text(f, IDV_DB_SALES, text)

/* lives until the next call */
static const struct idv_masa_device *found(struct fixture *f,
                                           const char *serial)
{
    static struct idv_masa_device d;
    struct idv_masa_store s = idv_db_masa_store(f->in.db);
    bool there = false;
    idv_masa_device_free(&d);
    OK(s.device_find(s.self, idv_str(""), serial, &there, &d));
    assert_true(there);
    return &d;
}

/* --- devices -------------------------------------------------------------- */

static void in_batches(void **state)
{
    struct fixture *f = ready(state);
    OK(load(f, MANY, 0));
    assert_true(f->commits >= 3);
    assert_int_equal(f->got.fresh, MANY);
    assert_int_equal(f->got.lines, MANY);
    assert_int_equal(devices(f->in.db, NULL), MANY);
    OK(load(f, MANY + 1, 0)); /* again, and one more */
    assert_int_equal(f->got.fresh, 1);
    assert_int_equal(f->got.known, MANY);
    assert_int_equal(devices(f->in.db, NULL), MANY + 1);
}

/* those before it are there, none after it; mended, it goes on */
static void bad_line(void **state)
{
    struct fixture *f = ready(state);
    FAILS(IDV_E_FORMAT, "line 3000: base64", load(f, MANY, 3000));
    assert_int_equal(f->got.lines, 2999);
    assert_int_equal(devices(f->in.db, NULL), 2999);
    OK(load(f, MANY, 0));
    assert_int_equal(f->got.fresh, MANY - 2999);
    FAILS(IDV_E_FORMAT, "line 1: ", load(f, 1, 1));
    OK(load(f, 0, 0));
    assert_int_equal(f->got.lines, 0);
}

static idv_rc cut(void *arg, struct idv_bytes *line, bool *more)
{
    struct fixture *f = arg;
    if (f->at == 2500)
        return idv_fail(IDV_E_IO, "disk gone");
    return next(arg, line, more);
}

/* what ends in the middle has put whole transactions only */
static void cut_off(void **state)
{
    struct fixture *f = ready(state);
    const struct idv_db_import from = {
        .rows = IDV_DB_DEVICES, .by = test_by, .next = cut, .arg = f};
    f->n = MANY;
    FAILS(IDV_E_IO, "disk gone", idv_db_import(f->in.db, &from, &f->got));
    assert_int_equal(devices(f->in.db, NULL), f->got.lines);
    assert_true(f->got.lines > 0 && f->got.lines < 2500);
}

/* what people said since is not undone by the factory's file */
static void people_know_better(void **state)
{
    static const char line[] = "A," KEYID ",,acme," CUSTOMER ",m1,Old\n";
    struct fixture *f = ready(state);
    OK(read_text(f, IDV_DB_DEVICES, line));
    assert_string_equal(found(f, "A")->owner, CUSTOMER);
    assert_string_equal(found(f, "A")->model, "m1");
    assert_string_equal(found(f, "A")->customer, "Old");
    OK(idv_db_device_stand(f->in.db, idv_str(""), "A", IDV_STANDING_TRANSFERRED,
                           "resold", &test_by));
    assert_string_equal(found(f, "A")->owner, "");
    OK(read_text(f, IDV_DB_DEVICES, line));
    assert_string_equal(found(f, "A")->owner, "");
    assert_int_equal(found(f, "A")->standing, IDV_STANDING_TRANSFERRED);
}

static bool first_change(void *arg, const struct idv_masa_change *c)
{
    *(struct idv_masa_change *)arg = *c;
    return false;
}

#define STOLEN "A," KEYID ",,acme,,m1,,stolen,from the yard\n"

/* how it stood elsewhere is how it stands, and who brought that is known; of
 * one that is here people have said how it stands */
static void standing_elsewhere(void **state)
{
    struct fixture *f = ready(state);
    struct idv_masa_people p = idv_db_masa_people(f->in.db);
    struct idv_masa_change c = {.date = 0};
    OK(read_text(f, IDV_DB_DEVICES, STOLEN));
    assert_int_equal(found(f, "A")->standing, IDV_STANDING_STOLEN);
    assert_string_equal(found(f, "A")->reason, "from the yard");
    OK(p.changes(p.self, found(f, "A")->id, 9, first_change, &c));
    assert_string_equal(c.what, "stolen");
    assert_string_equal(c.detail, "from the yard");
    assert_string_equal(c.who, test_by.who);
    OK(idv_db_device_stand(f->in.db, idv_str(""), "A", IDV_STANDING_NORMAL, "",
                           &test_by));
    OK(read_text(f, IDV_DB_DEVICES, STOLEN));
    assert_int_equal(found(f, "A")->standing, IDV_STANDING_NORMAL);
    OK(read_text(f, IDV_DB_DEVICES, "B," KEYID ",,,,,,normal\n"));
    assert_int_equal(found(f, "B")->standing, IDV_STANDING_NORMAL);
    FAILS(IDV_E_FORMAT, "line 1: device 'C': standing 'lost' is not known",
          read_text(f, IDV_DB_DEVICES, "C," KEYID ",,,,,,lost\n"));
}

/* given away elsewhere: the factory's file does not give it back */
static void given_away_elsewhere(void **state)
{
    struct fixture *f = ready(state);
    OK(read_text(f, IDV_DB_DEVICES, "A," KEYID ",,,,,,transferred\n"));
    OK(read_text(f, IDV_DB_DEVICES, "A," KEYID ",,acme," CUSTOMER ",,Old\n"));
    assert_string_equal(found(f, "A")->owner, "");
    assert_string_equal(found(f, "A")->maker, "acme");
    assert_int_equal(found(f, "A")->standing, IDV_STANDING_TRANSFERRED);
}

/* --- sales ---------------------------------------------------------------- */

static void sold(void **state)
{
    struct fixture *f = ready(state);
    OK(load(f, 3, 0));
    OK(SALES(f, "D-00000," CUSTOMER ",First\n\n"
                "{\"serial-number\":\"D-00001\",\"customer\":\"First\"}\n"));
    assert_int_equal(f->got.fresh, 2);
    assert_int_equal(f->got.lines, 3);
    assert_string_equal(found(f, "D-00000")->owner, CUSTOMER);
    assert_string_equal(found(f, "D-00001")->customer, "First");
    assert_string_equal(found(f, "D-00001")->owner, "");
    OK(SALES(f, "D-00000," CUSTOMER ",First,," /* nothing new */));
    assert_int_equal(f->got.known, 1);
}

/* a sale is not how a device is taken away from somebody */
static void sold_twice(void **state)
{
    struct fixture *f = ready(state);
    OK(load(f, 3, 0));
    OK(SALES(f, "D-00000," CUSTOMER ",First\n"));
    FAILS(IDV_E_STATE, "line 2: sale of 'D-00000': it is another domain's",
          SALES(f, "D-00001," CUSTOMER "\nD-00000," SECOND "\nD-00002," SECOND
                   "\n"));
    assert_string_equal(found(f, "D-00001")->owner, CUSTOMER);
    assert_string_equal(found(f, "D-00000")->owner, CUSTOMER);
    assert_string_equal(found(f, "D-00002")->owner, "");
    OK(idv_db_device_stand(f->in.db, idv_str(""), "D-00000",
                           IDV_STANDING_TRANSFERRED, "", &test_by));
    OK(SALES(f, "D-00000," SECOND ",Second\n"));
    assert_string_equal(found(f, "D-00000")->owner, SECOND);
    assert_int_equal(found(f, "D-00000")->standing, IDV_STANDING_NORMAL);
}

#define FIRST_SALE "D-00000," CUSTOMER ",First"

/* an old file does not give a device back to who gave it away, neither while
 * nobody has it nor to the customer when somebody has */
static void sold_before(void **state)
{
    struct fixture *f = ready(state);
    OK(load(f, 1, 0));
    OK(SALES(f, FIRST_SALE "\n"));
    OK(idv_db_device_stand(f->in.db, idv_str(""), "D-00000",
                           IDV_STANDING_TRANSFERRED, "", &test_by));
    FAILS(IDV_E_STATE, "line 1: sale of 'D-00000': they gave it away",
          SALES(f, FIRST_SALE "\n"));
    FAILS(IDV_E_STATE, "gave it away", SALES(f, "D-00000,,First\n"));
    assert_string_equal(found(f, "D-00000")->owner, "");
    assert_string_equal(found(f, "D-00000")->customer, "");
    OK(SALES(f, FIRST_SALE ",,,1970-01-01T00:00:01Z\n"));
    assert_int_equal(f->got.known, 1);
    assert_int_equal(found(f, "D-00000")->standing, IDV_STANDING_TRANSFERRED);
    OK(SALES(f, "D-00000," SECOND ",Second\n"));
    FAILS(IDV_E_STATE, "gave it away", SALES(f, FIRST_SALE "\n"));
    FAILS(IDV_E_STATE, "gave it away", SALES(f, "D-00000,,First\n"));
    assert_string_equal(found(f, "D-00000")->owner, SECOND);
    assert_string_equal(found(f, "D-00000")->customer, "Second");
}

/* sold to them again, with a date; also where the feed had said that first */
static void sold_again(void **state)
{
    struct fixture *f = ready(state);
    OK(read_text(f, IDV_DB_DEVICES,
                 "D-00000," KEYID ",,," CUSTOMER ",m,First\n"));
    OK(idv_db_device_stand(f->in.db, idv_str(""), "D-00000",
                           IDV_STANDING_TRANSFERRED, "", &test_by));
    OK(read_text(f, IDV_DB_DEVICES,
                 "D-00000," KEYID ",,," CUSTOMER ",m,First\n"));
    assert_string_equal(found(f, "D-00000")->customer, "");
    FAILS(IDV_E_STATE, "gave it away", SALES(f, FIRST_SALE "\n"));
    OK(SALES(f, FIRST_SALE ",,,1970-01-01T00:00:02Z\n"));
    assert_string_equal(found(f, "D-00000")->owner, CUSTOMER);
    assert_int_equal(found(f, "D-00000")->standing, IDV_STANDING_NORMAL);
    OK(SALES(f, FIRST_SALE "\n")); /* it is so already */
    assert_int_equal(f->got.known, 1);
}

/* whose it is, is told by a domainID, in the factory's file as well */
static void feed_owner(void **state)
{
    struct fixture *f = ready(state);
    FAILS(IDV_E_FORMAT,
          "line 2: device 'B': owner: 'Example Ltd' is no domainID",
          read_text(f, IDV_DB_DEVICES,
                    "A," KEYID "\nB," KEYID ",,acme,Example Ltd,m1,Old\n"));
    assert_int_equal(devices(f->in.db, NULL), 1);
}

static void sold_not(void **state)
{
    static const struct {
        const char *line, *part;
        idv_rc rc;
    } rows[] = {
        {",x", "line 1: sale: no serial-number", IDV_E_FORMAT},
        {"D-00000", "neither owner nor customer", IDV_E_FORMAT},
        {"D-00000,AAAA", "owner: 'AAAA' is no domainID", IDV_E_FORMAT},
        {"D-00000,!", "sale of 'D-00000': owner: ", IDV_E_FORMAT},
        {"D-00000,,,,AAAA", "owner: certificate", IDV_E_FORMAT},
        {"D-00000,,,AAAA", "line 1: ", IDV_E_FORMAT},
        {"D-00000,1,2,3,4,5,6", "more than 6 fields", IDV_E_FORMAT},
        {"D-00000,,a,,,monday", "sale of 'D-00000': sold-on", IDV_E_FORMAT},
        {"D-00000,,a,,,2031-01-01T00:00:00Z", "yet to come", IDV_E_FORMAT},
        {"{\"serial-number\":7}", "not a text", IDV_E_FORMAT},
        {"NONE," CUSTOMER, "line 1: device 'NONE': none", IDV_E_STATE},
    };
    struct fixture *f = ready(state);
    OK(load(f, 1, 0));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        FAILS(rows[i].rc, rows[i].part, SALES(f, rows[i].line));
    assert_string_equal(found(f, "D-00000")->owner, "");
}

static struct pki pki;

/* a domain is known by the certificate that its domainID is made of */
static void sold_by_certificate(void **state)
{
    struct fixture *f = ready(state);
    IDV_AUTO(buf) id = {0};
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) text = {0};
    IDV_AUTO(buf) line = {0};
    OK(load(f, 1, 0));
    OK(idv_domain_id_proven(pki.domain_ca.cert, &id));
    OK(idv_cert_to_der(pki.domain_ca.cert, &der));
    OK(idv_base64_from_bytes(idv_view(&der), 0, &text));
    OK(idv_buf_putf(&line, "D-00000,%s,,,%s", SECOND, (char *)text.p));
    FAILS(IDV_E_FORMAT, "not that of its certificate",
          SALES(f, (char *)line.p));
    idv_buf_clear(&line);
    OK(idv_buf_putf(&line, "D-00000,,,,%s", (char *)text.p));
    OK(SALES(f, (char *)line.p));
    assert_string_equal(found(f, "D-00000")->owner, (char *)id.p);
}

#define BOTH(f) ON_BOTH(f, struct fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(in_batches),
        BOTH(bad_line),
        BOTH(cut_off),
        BOTH(people_know_better),
        BOTH(sold),
        BOTH(sold_twice),
        BOTH(sold_not),
        BOTH(sold_by_certificate),
        BOTH(sold_before),
        BOTH(sold_again),
        BOTH(feed_owner),
        BOTH(standing_elsewhere),
        BOTH(given_away_elsewhere),
    };
    pki_make(&pki);
    int failed = STORED_RUN(tests);
    pki_free(&pki);
    return failed;
}
