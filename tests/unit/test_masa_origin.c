/* SPDX-License-Identifier: Apache-2.0 */
/* Domains that nobody knows, and the networks that they come from. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

static struct idv_peer peer;

static int ask_from(struct fixture *f)
{
    return world_ask(&f->w, idv_masa_service(f->w.masa), &peer, IDV_POST,
                     VOUCHER, IDV_MEDIA_VOUCHER_CMS, idv_view(&f->sealed));
}

/* other bytes each time, from an address */
static int from(struct fixture *f, const char *address)
{
    f->rvr.created_on--;
    f->w.log[0] = 0;
    seal(f);
    snprintf(peer.address, sizeof(peer.address), "%s", address);
    return ask_from(f);
}

static void not_from(struct fixture *f, const char *address)
{
    assert_int_equal(from(f, address), 403);
    assert_true(world_why(&f->w, "origin"));
}

static bool moved(const struct fixture *f)
{
    return strstr(f->w.log, "domain-moved") != NULL;
}

static void later(struct fixture *f, int64_t s)
{
    f->w.pki.env.now += s;
    f->rvr.created_on = f->w.pki.env.now;
}

/* R-M-40: nothing is kept unless it is said */
static void anywhere(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(from(f, "192.0.2.1"), 200);
    f->w.maker.policy.origin = IDV_ORIGIN_BIND;
    later(f, 2 * PKI_DAY);
    assert_int_equal(from(f, "198.51.100.1"), 200);
    assert_false(moved(f));
}

/* R-M-40: a new network is on record, and served */
static void noted(void **state)
{
    struct fixture *f = *state;
    f->w.maker.policy.origin = IDV_ORIGIN_NOTE;
    assert_int_equal(from(f, "192.0.2.1"), 200);
    assert_false(moved(f));
    later(f, 2 * PKI_DAY);
    assert_int_equal(from(f, "192.0.2.200"), 200);
    assert_false(moved(f));
    assert_int_equal(from(f, "198.51.100.1"), 200);
    assert_true(moved(f));
    assert_int_equal(from(f, "198.51.100.2"), 200);
    assert_false(moved(f));
}

/* R-M-40: several registrars, or one behind a NAT that changes, are learnt on
 * the first day; then nobody else has that domain, but other domains are not
 * touched */
static void bound(void **state)
{
    struct fixture *f = *state;
    f->w.maker.policy.origin = IDV_ORIGIN_BIND;
    assert_int_equal(from(f, "192.0.2.1"), 200);
    assert_int_equal(from(f, "2001:db8:1:2::3"), 200);
    assert_true(moved(f));
    later(f, PKI_DAY);
    not_from(f, "198.51.100.1");
    assert_int_equal(from(f, "192.0.2.77"), 200);
    assert_int_equal(from(f, "2001:db8:1:ffff::1"), 200);
    not_from(f, "2001:db8:2::1");
    strcpy(peer.address, "198.51.100.1");
    seal_by(f, &f->w.pki.rogue, f->w.pki.rogue_chain);
    assert_int_equal(ask_from(f), 200);
}

/* R-M-40: what was refused teaches nothing, and it cannot be made to be
 * everywhere on its first day */
static void few(void **state)
{
    struct fixture *f = *state;
    char address[32];
    f->w.maker.policy.origin = IDV_ORIGIN_BIND;
    for (int i = 0; i < 8; i++) {
        snprintf(address, sizeof(address), "10.0.%d.1", i);
        assert_int_equal(from(f, address), 200);
    }
    not_from(f, "10.0.8.1");
    not_from(f, "10.0.8.1");
    assert_int_equal(from(f, "10.0.7.9"), 200);
}

/* R-M-40: who is known is not taken on trust */
static void known(void **state)
{
    struct fixture *f = *state;
    f->w.maker.policy.origin = IDV_ORIGIN_BIND;
    assert_int_equal(from(f, "192.0.2.1"), 200);
    later(f, 2 * PKI_DAY);
    not_from(f, "198.51.100.1");
    sell_to_domain(f);
    assert_int_equal(from(f, "198.51.100.1"), 200);
    pki_must(idv_db_device_owner(f->w.masa_db, idv_str(""), PKI_SERIAL, "",
                                 &test_by),
             "owner");
    not_from(f, "198.51.100.1");
    know_domain(f, false, false);
    assert_int_equal(from(f, "198.51.100.1"), 200);
}

static bool first(void *arg, int64_t first_seen, const char *network)
{
    assert_true(first_seen > 0);
    strcpy(arg, network);
    return true;
}

/* it moved for good, and people say so */
static void forgotten(void **state)
{
    struct fixture *f = *state;
    struct idv_masa_people p = idv_db_masa_people(f->w.masa_db);
    IDV_AUTO(buf) spki = {0};
    IDV_AUTO(buf) unused = {0};
    uint8_t key[32];
    char network[IDV_MAX_NETWORK] = "";
    f->w.maker.policy.origin = IDV_ORIGIN_BIND;
    assert_int_equal(from(f, "192.0.2.1"), 200);
    later(f, 2 * PKI_DAY);
    not_from(f, "198.51.100.1");
    pki_spki(f->w.pki.domain_ca.cert, &spki, &unused);
    OK(idv_sha256(idv_view(&spki), key));
    OK(p.origins(p.self, key, first, network));
    assert_string_equal(network, "192.0.2.0/24");
    OK(p.origins_forget(p.self, key));
    assert_int_equal(from(f, "198.51.100.1"), 200);
    later(f, PKI_DAY);
    not_from(f, "192.0.2.1");
}

static void networks(void **state)
{
    static const char *const rows[][2] = {
        {"192.0.2.7", "192.0.2.0/24"},
        {"::ffff:192.0.2.7", "192.0.2.0/24"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"},
        {"2001:db8::7", "2001:db8:0::/48"},
        {"2001::7", "2001:0:0::/48"},
        {"::1", "0:0:0::/48"},
        {"fe80::1%eth0", "fe80:0:0::/48"},
        {"fe80::1%eth0.5", "fe80:0:0::/48"},
        {"?", "?"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char out[IDV_MAX_NETWORK];
        idv_masa_network(rows[i][0], out);
        assert_string_equal(out, rows[i][1]);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(anywhere), T(noted),     T(bound),    T(few),
        T(known),    T(forgotten), T(networks),
    };
    return STORES_RUN(tests);
}
