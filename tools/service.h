/* SPDX-License-Identifier: Apache-2.0 */
/* What the two services do the same way: listen, say so, stop. */
#ifndef TOOL_SERVICE_H
#define TOOL_SERVICE_H

#include <idevid/json.h>
#include <idevid/machine.h>

#include <stddef.h>

#include "idevid/db/db.h"
#include "idevid/net/meter.h"
#include "idevid/net/server.h"
#include "tool.h"

/* What both configurations say. */
struct service_conf {
    char **listen;
    char **admin; /* none or one */
    char *admin_group;
    char *database;
    char **metrics;
    char **front_listen, **front_proxies;
    char *front_group;
    int front_form;
    int64_t workers, max_connections, per_address, per_minute;
};
#define SERVICE_ENTRIES(struct_, member, listen_default)                       \
    {.section = "server",                                                      \
     .key = "listen",                                                          \
     .type = IDV_CONF_LIST,                                                    \
     .offset = offsetof(struct_, member.listen),                               \
     .fallback = listen_default,                                               \
     .help = "addresses to serve on, HOST:PORT; port 0 takes any"},            \
        {.section = "server",                                                  \
         .key = "workers",                                                     \
         .type = IDV_CONF_INT,                                                 \
         .offset = offsetof(struct_, member.workers),                          \
         .fallback = "0",                                                      \
         .min = 0,                                                             \
         .max = 256,                                                           \
         .help = "processes that serve; 0: one per core"},                     \
        {.section = "server",                                                  \
         .key = "max-connections",                                             \
         .type = IDV_CONF_INT,                                                 \
         .offset = offsetof(struct_, member.max_connections),                  \
         .fallback = "256",                                                    \
         .min = 1,                                                             \
         .max = 65536,                                                         \
         .help =                                                               \
             "connections of one worker; idle ones give way to more, else "    \
             "these wait"},                                                    \
        {.section = "server",                                                  \
         .key = "max-per-address",                                             \
         .type = IDV_CONF_INT,                                                 \
         .offset = offsetof(struct_, member.per_address),                      \
         .fallback = "64",                                                     \
         .min = 1,                                                             \
         .max = 65536,                                                         \
         .help = "connections of one address (IPv6: of one /64) at all "       \
                 "workers; idle ones give way to more"},                       \
        {.section = "server",                                                  \
         .key = "metrics",                                                     \
         .type = IDV_CONF_LIST,                                                \
         .offset = offsetof(struct_, member.metrics),                          \
         .help = "HOST:PORT for GET /metrics (Prometheus) and GET /health in " \
                 "plain HTTP, of loopback or a network of the operator's"},
/* A reverse proxy in front. */
extern const char *const service_front_forms[];
#define SERVICE_FRONT_ENTRIES(struct_, member)                                 \
    {.section = "front",                                                       \
     .key = "listen",                                                          \
     .type = IDV_CONF_LIST,                                                    \
     .offset = offsetof(struct_, member.front_listen),                         \
     .help = "where a reverse proxy asks that ends TLS, in plain HTTP: "       \
             "unix:/PATH, or HOST:PORT of loopback or a network that is "      \
             "only theirs"},                                                   \
        {.section = "front",                                                   \
         .key = "trusted-proxy",                                               \
         .type = IDV_CONF_LIST,                                                \
         .offset = offsetof(struct_, member.front_proxies),                    \
         .help = "addresses or networks (ADDRESS/BITS) of it, for HOST:PORT; " \
                 "nobody else is heard there"},                                \
        {.section = "front",                                                   \
         .key = "group",                                                       \
         .type = IDV_CONF_TEXT,                                                \
         .offset = offsetof(struct_, member.front_group),                      \
         .help = "for unix:/PATH: members of this group are it, too, not "     \
                 "only root and the user who runs the service"},               \
        {.section = "front",                                                   \
         .key = "client-certificate",                                          \
         .type = IDV_CONF_ENUM,                                                \
         .offset = offsetof(struct_, member.front_form),                       \
         .fallback = "client-cert",                                            \
         .words = service_front_forms,                                         \
         .help = "the field in which it hands on the certificate of a "        \
                 "client: client-cert: Client-Cert and Client-Cert-Chain "     \
                 "(RFC 9440); escaped-pem: X-SSL-Client-Cert, as nginx has "   \
                 "it in $ssl_client_escaped_cert"},
/* Where clients are devices, not registrars that ask for many. */
#define SERVICE_RATE_ENTRY(struct_, member, rate_default)                      \
    {.section = "server",                                                      \
     .key = "requests-per-minute",                                             \
     .type = IDV_CONF_INT,                                                     \
     .offset = offsetof(struct_, member.per_minute),                           \
     .fallback = rate_default,                                                 \
     .min = 0,                                                                 \
     .max = 100000000,                                                         \
     .help = "requests with one client certificate; more get 429; 0: any "     \
             "number"},
/* For a service with an admin table. */
#define SERVICE_ADMIN_ENTRIES(struct_, member, admin_default)                  \
    {.section = "server",                                                      \
     .key = "admin",                                                           \
     .type = IDV_CONF_PATHS,                                                   \
     .offset = offsetof(struct_, member.admin),                                \
     .fallback = admin_default,                                                \
     .help = "the unix socket on which the other commands ask; empty: none"},  \
        {.section = "server",                                                  \
         .key = "admin-group",                                                 \
         .type = IDV_CONF_TEXT,                                                \
         .offset = offsetof(struct_, member.admin_group),                      \
         .help = "members of this group may ask there, too, not only root "    \
                 "and the user who runs the service"},
#define SERVICE_STORE_ENTRY(struct_, member, database_default)                 \
    {.section = "store",                                                       \
     .key = "database",                                                        \
     .type = IDV_CONF_URI,                                                     \
     .offset = offsetof(struct_, member.database),                             \
     .fallback = database_default,                                             \
     .help =                                                                   \
         "an SQLite file, or postgresql://USER@HOST/NAME as libpq takes it, "  \
         "its password better in a passfile"},

/* What a worker has of each service that it is. */
struct service_part {
    const char *name;  /* NULL: the only one, or the first */
    EVP_PKEY *key;     /* that it signs with, TLS among others */
    struct idv_db *db; /* that its calls write to; NULL: none of ours */
    int64_t signed_at; /* idv_ticks_ms of the last try; 0 none */
    idv_rc (*check)(void *arg); /* what else its health needs; NULL nothing */
    void *arg;
};

struct service {
    size_t conf_size; /* of tool->conf, to be read again; 0: it is not */
    struct tool *tool;
    const struct service_conf *conf;
    /* A worker, size zeroed bytes of the program's own: setup opens what it
     * needs and fills out (key, chain, service); clear frees that again, also
     * after a setup that failed. */
    size_t size;
    idv_rc (*setup)(struct tool *t, void *worker,
                    struct idv_server_worker *out);
    /* What a worker changes when it begins, all being in order: not where one
     * is only tried (service_probe). NULL: nothing. */
    idv_rc (*begin)(struct tool *t, void *worker);
    bool tried; /* service_probe's */
    /* what setup opened: the first is out's own, the others its hosts'; NULL:
     * its key, and what serve says lasts */
    size_t (*parts)(void *worker, struct service_part **out);
    void (*clear)(void *worker);
    idv_rc (*tick)(
        void *worker); /* as in struct idv_server_worker; NULL none */
    int tick_ms;
    const char *const *public; /* as in struct idv_server_conf; NULL none */
    const struct idv_server_aside *asides; /* as in struct idv_server_conf */
    size_t asides_n;
    /* service_run's: what all workers share */
    struct idv_board *board;
    struct idv_meter *meter;
    int64_t started, started_ms; /* by its clock; tool_ms */
    void *kept; /* the first configuration, where another was taken over */
};

/*
 * Serves until told to stop. Once it listens it prints one JSON line for each
 * address, {"event":"listening" | "monitoring" | "public" |
 * "fronted","address":..., "port":...}, and tells systemd (NOTIFY_SOCKET).
 * Sockets handed in (LISTEN_FDS) are used instead of listen. A port in use ends
 * with exit code 4.
 */
idv_rc service_run(const struct service *s) IDV_CHECKED;

/* What the table cannot say of [front]: IDV_E_ARG names it. */
idv_rc service_check_front(const struct service_conf *c) IDV_CHECKED;

/* One request more of this client at any worker of the service that runs, or is
 * tried only; how many in this minute. */
unsigned service_asked(void *unused, const uint8_t client[32]);

/* Sets one worker up, which does not begin, and clears it: do keys,
 * certificates and store fit? */
idv_rc service_probe(const struct service *s) IDV_CHECKED;

/* idv_server_host.commit: self is its part */
idv_rc service_part_commit(void *part) IDV_CHECKED;

/* idv_server_conf.reload, arg is the service: reads the configuration again and
 * takes it over if a worker can be set up by it; else everything is as before.
 * What sockets, workers and devices are is as at the start. */
idv_rc service_reload(void *service) IDV_CHECKED;

/*
 * service_live.c: "version", "started", "uptime-seconds" and "service"
 * (workers, ready, connections, requests) of the one that runs in this process;
 * nothing where none does.
 */
const struct service *service_running(void);
idv_rc service_put_live(const struct service *s,
                        struct idv_json *out) IDV_CHECKED;
/* "database": the file, or a URL without what may be secret in it. */
idv_rc service_put_database(const char *database,
                            struct idv_json *out) IDV_CHECKED;
/* "name", and of a certificate (NULL none) "subject" and "ends"; into o, or as
 * one more of keys. */
idv_rc service_put_key(const char *name, const X509 *cert,
                       struct idv_json *o) IDV_CHECKED;
idv_rc service_add_key(const char *name, const X509 *cert,
                       struct idv_json *keys) IDV_CHECKED;
/* All that for people, and whether it runs. */
idv_rc service_say_status(struct tool *t,
                          const struct idv_json *answer) IDV_CHECKED;
void service_say_numbers(struct tool *t, const char *what,
                         const struct idv_json *o);

/* GET /metrics, GET /health, of a worker. */
struct service_monitor {
    const struct service *service;
    struct service_part *part;
    size_t parts;
    int64_t look_at; /* not before; for service_token_again */
};
struct idv_service service_monitor(struct service_monitor *m);
/* A device has failed: a token that is back is looked for, once a second. In a
 * worker, which has one thread. */
void service_token_again(struct service_monitor *m);

/*
 * Asks what a verb is about: the service on its admin socket if it is there,
 * otherwise direct, which opens the store and answers by the same table (so is
 * said with -v). in is taken; each page of the answer goes to page. A service
 * that refuses is not gone around.
 */
struct service_ask {
    struct tool *tool;
    const struct service_conf *conf;
    const char *of; /* before path, on the socket; NULL nothing */
    const char *path;
    idv_rc (*direct)(struct tool *t, const char *path, struct idv_bytes in,
                     struct idv_msg *reply);
    idv_rc (*page)(struct tool *t, const struct idv_json *answer);
};
idv_rc service_ask(const struct service_ask *a,
                   struct idv_json *in) IDV_CHECKED;
/* Calls each for the rows of a page; with --json prints them itself. */
idv_rc service_rows(struct tool *t, const struct idv_json *answer,
                    void (*each)(struct tool *t,
                                 const struct idv_json *row)) IDV_CHECKED;
/* One line of JSON. */
idv_rc service_print(struct tool *t, const struct idv_json *v) IDV_CHECKED;
/* A member of a row, "" when absent. */
const char *service_cell(const struct idv_json *row, const char *name);
/* "local:uid=N": who asks when the store is used directly. */
void service_who(char out[static 32]);

/* Copies the database to a new file. */
idv_rc service_backup(struct tool *t, const char *database,
                      const char *path) IDV_CHECKED;

/* A database that is closed at the end of its block, and what a listing of it
 * carries along. */
struct service_use {
    struct tool *t;
    idv_rc rc;
    bool any;
};
static inline void service_db_close(struct idv_db **db)
{
    idv_db_close(*db);
}
#define AUTO_DB __attribute__((cleanup(service_db_close)))

#endif
