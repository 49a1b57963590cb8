/* SPDX-License-Identifier: Apache-2.0 */
/* The store of the services in one database, and its use by people. */
#ifndef IDEVID_DB_H
#define IDEVID_DB_H

#include <idevid/journal.h>
#include <idevid/json.h>

#include "idevid/est/crl.h"
#include "idevid/est/server.h"
#include "idevid/masa/people.h"
#include "idevid/registrar/cloud.h"
#include "idevid/registrar/people.h"

struct idv_db;

/*
 * Opens, or makes, the SQLite file at a path ("sqlite:PATH" too), or what a URL
 * of PostgreSQL names (postgresql://...; password and TLS as libpq has them),
 * and brings its schema up to date (schema.sql). Several handles and processes
 * may use one; one handle is for one thread and not for a fork's child.
 *
 * What the contracts of the stores call durable is on disk when a call returns,
 * and so is what people change; after idv_db_batch, when idv_db_commit returns.
 *
 * IDV_E_IO names the database and what is wrong: no such directory, no
 * permission, disk full, no connection, a statement that takes longer than a
 * minute; IDV_E_FORMAT: not a database, or of another program, or of a later
 * version; IDV_E_ARG: a URL that cannot be understood, or of a database that
 * this program was built without. A password in a URL comes into no note.
 *
 * A server that goes away is not the end of the handle: the call that meets it
 * is IDV_E_IO, and later ones connect again by themselves, once in a second.
 * Whether a transaction was committed when the connection broke is asked of the
 * server afterwards; where nobody can be asked, a call may have been done that
 * said IDV_E_IO. It does no harm to repeat it: all keys are of what was asked.
 */
idv_rc idv_db_open(const char *url, struct idv_db **out) IDV_CHECKED;
void idv_db_close(struct idv_db *db);
idv_rc idv_db_ping(struct idv_db *db) IDV_CHECKED; /* it can be read */

/*
 * Of a worker that serves many: from here on calls return before what they did
 * is on disk, and idv_db_commit waits once for all of them, also for what other
 * processes did and was read here. Nothing may be answered before it returned
 * IDV_OK; otherwise all that was done since the last one may be lost.
 */
idv_rc idv_db_batch(struct idv_db *db) IDV_CHECKED;
/* What is done from here to idv_db_commit is one transaction, where that is
 * cheaper (SQLite): a call that fails leaves nothing in it, the others go on;
 * other writers wait. Nothing slow belongs in it. */
idv_rc idv_db_gather(struct idv_db *db) IDV_CHECKED;
idv_rc idv_db_commit(struct idv_db *db) IDV_CHECKED;

/*
 * Several machines on one database must show devices the same certificate. The
 * newest (by notBefore) that was ever given here is that one: IDV_OK and
 * *fresh for a newer one, IDV_OK for the same, IDV_E_STATE by name for any
 * other: of a machine that was left behind.
 */
idv_rc idv_db_shown(struct idv_db *db, const char *role, const X509 *cert,
                    bool *fresh) IDV_CHECKED;
/* Only says whether that would be so, and changes nothing. */
idv_rc idv_db_may_show(struct idv_db *db, const char *role,
                       const X509 *cert) IDV_CHECKED;

/* The tables that the roles declare; valid as long as db. */
struct idv_masa_store idv_db_masa_store(struct idv_db *db);
struct idv_masa_people idv_db_masa_people(struct idv_db *db);
struct idv_registrar_store idv_db_registrar_store(struct idv_db *db);
struct idv_est_store idv_db_est_store(struct idv_db *db);
struct idv_crl_store idv_db_crl_store(struct idv_db *db);
struct idv_registrar_people idv_db_registrar_people(struct idv_db *db);
struct idv_owner_store idv_db_owner_store(struct idv_db *db);

/*
 * The same for a line's book, which is a database of its own form: what one of
 * the two opens the other refuses (IDV_E_FORMAT). The book's tables are told in
 * factory_schema.sql.
 */
idv_rc idv_db_open_factory(const char *url, struct idv_db **out) IDV_CHECKED;
struct idv_factory_store idv_db_factory_store(struct idv_db *db);

/* --- MASA: for people ----------------------------------------------------- */

/* Adds a device, or replaces certificate, maker and model of the one with the
 * same issuer and serial; its customer and owner where none is known and nobody
 * said so (standing and log stay). *fresh says which. */
idv_rc idv_db_device_add(struct idv_db *db, const struct idv_masa_device *d,
                         bool *fresh) IDV_CHECKED;
/*
 * The same from one line of a factory's export: a JSON object
 *   {"serial-number": text, "idevid-issuer": base64 [, "certificate": base64
 *    DER] [, "maker": text] [, "owner": base64 domainID] [, "model": text]
 *    [, "customer": text] [, "retired": true | false]}
 * (unknown members ignored; false lifts what true did, and no other standing),
 * or CSV: serial-number,idevid-issuer[,certificate[,maker[,owner[,model
 * [,customer]]]]] (quotes per RFC 4180). IDV_E_FORMAT says what is wrong; a
 * certificate that does not fit serial and issuer is refused.
 */
idv_rc idv_db_device_import(struct idv_db *db, struct idv_bytes line,
                            bool *fresh) IDV_CHECKED;

enum idv_db_rows {
    IDV_DB_DEVICES, /* lines as above */
    /*
     * A device that is there was sold: a JSON object
     *   {"serial-number": text [, "owner": base64 domainID] [, "customer":
     * text]
     *    [, "idevid-issuer": base64] [, "domain-certificate": base64 DER]
     *    [, "sold-on": RFC 3339]}
     * (owner or the certificate that it follows from, or a customer), or CSV:
     * serial-number,owner[,customer[,idevid-issuer[,domain-certificate
     * [,sold-on]]]]. One that is dated before the device was transferred is
     * nothing new. IDV_E_STATE: there is no such device, several issuers have
     * one, it is another domain's and was not transferred, or it was
     * transferred by them and no date says that this is later.
     */
    IDV_DB_SALES,
};
struct idv_db_imported {
    uint64_t lines; /* up to this one, all of the file's are in the store */
    uint64_t fresh, known; /* that said something new, or nothing */
};
struct idv_db_import {
    enum idv_db_rows rows;
    struct idv_masa_by by;
    /* The next line; *more false: there is none. Borrowed until the next call,
     * which comes from another thread while progress may be told. */
    idv_rc (*next)(void *arg, struct idv_bytes *line, bool *more);
    /* after each transaction; may be NULL */
    void (*progress)(void *arg, const struct idv_db_imported *sofar);
    void *arg;
};
/*
 * Lines of a file, however long, in transactions of some thousand; blank ones
 * are nothing. Each transaction is whole and on disk before the next begins,
 * so that a second run of the same file finds what is there and finishes. A
 * line that is wrong, or that the store does not take, ends it, named by its
 * number; those before it are in the store, none after it is. *out is filled
 * also then.
 */
idv_rc idv_db_import(struct idv_db *db, const struct idv_db_import *from,
                     struct idv_db_imported *out) IDV_CHECKED;
/* Calls each until it returns false; d is borrowed. serial NULL: all. */
idv_rc idv_db_device_each(struct idv_db *db, const char *serial,
                          bool (*each)(void *arg,
                                       const struct idv_masa_device *d),
                          void *arg) IDV_CHECKED;
/* IDV_E_STATE: no such device, or (keyid empty) several with that serial. */
idv_rc idv_db_device_stand(struct idv_db *db, struct idv_bytes keyid,
                           const char *serial, enum idv_standing standing,
                           const char *reason,
                           const struct idv_masa_by *by) IDV_CHECKED;
/* owner "" forgets. */
idv_rc idv_db_device_owner(struct idv_db *db, struct idv_bytes keyid,
                           const char *serial, const char *owner,
                           const struct idv_masa_by *by) IDV_CHECKED;
/* Names a registrar or domain CA certificate; replaces an earlier entry. */
idv_rc idv_db_registrar_set(struct idv_db *db, const X509 *cert,
                            const struct idv_masa_registrar *r) IDV_CHECKED;

/*
 * Events of the log that are in no tree yet become leaves of it, the oldest
 * first, in transactions of a few hundred: those from before there was a tree,
 * and those of an older program beside this one. issue_add does the same for
 * what came meanwhile. *grown counts them.
 */
idv_rc idv_db_tree_grow(struct idv_db *db, const struct idv_env *env,
                        uint64_t *grown) IDV_CHECKED;

/*
 * A certificate that somebody wants to know the revocation of, for who looks;
 * nobody else takes it meanwhile, or two minutes long. *found false: none.
 */
struct idv_db_look {
    uint8_t cert_sha256[32];
    struct idv_buf cert, issuer; /* DER */
};
idv_rc idv_db_look_take(struct idv_db *db, int64_t now, bool *found,
                        struct idv_db_look *out) IDV_CHECKED;
void idv_db_look_free(struct idv_db_look *look);
/* Forgets what nobody needed for a month. */
idv_rc idv_db_look_prune(struct idv_db *db, int64_t now) IDV_CHECKED;
/* What was found out, and when to look again. */
struct idv_db_found {
    int64_t failed;     /* now: nothing, what was known stays; 0: the rest */
    int64_t good_until; /* 0: it is revoked, or was not said to be good */
    bool revoked;
    int64_t due;
    const char *detail;
};
idv_rc idv_db_look_put(struct idv_db *db, const struct idv_db_look *look,
                       const struct idv_db_found *f) IDV_CHECKED;

/* The signed head after *id (0: the first), which becomes its own. */
idv_rc idv_db_head_next(struct idv_db *db, int64_t *id, bool *found,
                        struct idv_buf *out) IDV_CHECKED;
/* Events of the log that are in no tree, whether they wait for it or not. */
idv_rc idv_db_tree_left(struct idv_db *db, uint64_t *n) IDV_CHECKED;

/* --- registrar: for people ------------------------------------------------ */

struct idv_db_decision {
    char maker[64];
    char serial_number[IDV_MAX_SERIAL + 1];
    enum idv_decision decision;
    int64_t asked, decided; /* 0: never */
};
/* Approves, refuses, or (NONE) forgets; the device need not have come yet. */
idv_rc idv_db_decide(struct idv_db *db, const char *maker, const char *serial,
                     enum idv_decision decision, int64_t now) IDV_CHECKED;
/* only: IDV_DECISION_NONE for all. */
idv_rc idv_db_decision_each(struct idv_db *db, enum idv_decision only,
                            bool (*each)(void *arg,
                                         const struct idv_db_decision *d),
                            void *arg) IDV_CHECKED;
/* Newest first; serial NULL: all. */
idv_rc idv_db_session_each(struct idv_db *db, const char *serial,
                           bool (*each)(void *arg, const struct idv_session *s),
                           void *arg) IDV_CHECKED;
idv_rc idv_db_status_each(struct idv_db *db, const uint8_t pvr_sha256[32],
                          bool (*each)(void *arg,
                                       const struct idv_status_event *e),
                          void *arg) IDV_CHECKED;
idv_rc idv_db_issued_each(struct idv_db *db, const char *serial,
                          bool (*each)(void *arg, const struct idv_issued *i),
                          void *arg) IDV_CHECKED;
/*
 * What may go, by its age: all are times, 0 keeps. unfinished: sessions that
 * no MASA was asked for and that changed last before then, and requests that
 * may be repeated until then. finished: all other sessions, with what their
 * pledges reported, that changed last before then, and certificates that ended
 * before; a MASA's log may then tell of requests of ours that we do not know.
 * Decisions and the MASA's log stay.
 */
struct idv_db_retention {
    int64_t unfinished, finished;
};
/* Goes on until about so many rows are gone, in small transactions. */
idv_rc idv_db_prune(struct idv_db *db, const struct idv_db_retention *r,
                    uint64_t most, uint64_t *n) IDV_CHECKED;

/* Where a ledger goes, row by row; anything but IDV_OK ends it. */
struct idv_db_ledger {
    idv_rc (*decision)(void *arg, const struct idv_db_decision *d);
    idv_rc (*session)(void *arg, const struct idv_session *s);
    idv_rc (*status)(void *arg, const struct idv_status_event *e);
    idv_rc (*issued)(void *arg, const struct idv_issued *i);
    void *arg;
};
/* All that was decided, changed, reported and issued from since on, before
 * until (0: no end): kind by kind, each in its order, as of one moment. Rows
 * are never all in memory. */
idv_rc idv_db_ledger_each(struct idv_db *db, int64_t since, int64_t until,
                          const struct idv_db_ledger *to) IDV_CHECKED;

/* --- both: for people ----------------------------------------------------- */

/* A copy of the SQLite file as of now, also while it is written to; path must
 * not be there. IDV_E_ARG: not with this database program, and what does it. */
idv_rc idv_db_backup(struct idv_db *db, const char *path) IDV_CHECKED;
/* All that is in db is what is in from, a copy, or as before. IDV_E_ARG: not
 * with this database program, and what does it; from NULL: it only says so. */
idv_rc idv_db_restore(struct idv_db *db, struct idv_db *from) IDV_CHECKED;

#endif
