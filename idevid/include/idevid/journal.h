/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line's book: what happened to which device, append-only, each entry
 * chained to the one before by its hash, batches of them signed. A station and
 * a desk each keep one of the same form; on one machine they may share it.
 */
#ifndef IDEVID_JOURNAL_H
#define IDEVID_JOURNAL_H

#include <idevid/order.h>

/* Where a device is. The numbers are in databases. */
enum idv_factory_state {
    IDV_DEVICE_NONE = 0,
    IDV_DEVICE_SEEN = 1,      /* recognised, bound to a serial number */
    IDV_DEVICE_REQUESTED = 2, /* keys made, request out */
    IDV_DEVICE_ISSUED = 3,    /* certificate issued, reply made */
    IDV_DEVICE_INSTALLED = 4, /* activated, certificates in the device */
    IDV_DEVICE_DONE = 5,      /* locked down, self test passed */
    IDV_DEVICE_RETIRED = 6,   /* its identity is not to be trusted any more */
    IDV_DEVICE_WIPED = 7,     /* keys and certificates taken out again */
    IDV_DEVICE_RELEASED = 8,  /* it was another device: the serial number has
                                 none now, the device has no serial number */
};
/* "none", "seen" ...; "?" for anything else */
const char *idv_factory_state_to_text(enum idv_factory_state s);

/* One device as the book has it now. Hashes are SHA-256, all zero: absent. */
struct idv_factory_device {
    char serial_number[IDV_MAX_SERIAL + 1];
    char order[IDV_FACTORY_NAME_MAX + 1];
    char model[IDV_FACTORY_NAME_MAX + 1];
    enum idv_factory_profile profile;
    enum idv_factory_state state;
    uint8_t ek[32];  /* of the EK's SubjectPublicKeyInfo; token: of its
                        maker, model and serial */
    uint8_t key[32]; /* of the IDevID's SubjectPublicKeyInfo */
    unsigned issue;  /* 1 the first identity, 2 after the first rework ... */
    char station[IDV_FACTORY_NAME_MAX + 1];
    char operator_[IDV_FACTORY_NAME_MAX + 1];
    int64_t created, changed;
    struct idv_buf cert, iak_cert; /* DER */
    struct idv_buf request, reply; /* as received, as sent */
    struct idv_buf escrow;         /* lockout value, CMS EnvelopedData */
};
void idv_factory_device_free(struct idv_factory_device *d);

/*
 * One entry of the book. body: a JSON object, canonical: members sorted by
 * their bytes, no blanks. Members that reports read: "why"
 * (idv_factory_why_to_text), "text" (the note), "order", "station", "operator";
 * what put wrote has "device", the row as it became (idv_journal_body).
 */
#define IDV_JOURNAL_KIND_MAX 31
#define IDV_JOURNAL_BODY_MAX (64 * 1024)
struct idv_journal_entry {
    uint64_t seq; /* 1, 2 ... */
    int64_t time;
    /* "order" "seen" "requested" "issued" "installed" "done" "failed"
       "retired" "wiped" "refused" "challenge" ... */
    char kind[IDV_JOURNAL_KIND_MAX + 1];
    char serial_number[IDV_MAX_SERIAL + 1]; /* "" of no device */
    struct idv_buf body;
    uint8_t previous[32], hash[32];
};
/* hash = SHA-256(previous || seq u64 || time u64 || kind 00 || serial 00 ||
 * SHA-256(body)), big-endian. */
idv_rc idv_journal_hash(const struct idv_journal_entry *e,
                        uint8_t out[static 32]) IDV_CHECKED;
void idv_journal_entry_free(struct idv_journal_entry *e);
/*
 * Appends an entry's body: members (a JSON object, or nothing) in canonical
 * form, and d, when not NULL, as "device": its columns by name, its documents
 * (certificates, request, reply, escrow) by their SHA-256 in hex, what is
 * absent left out. IDV_E_ARG: members is no object, has a "device" of its own
 * beside d, or a number that is no integer; IDV_E_LIMIT: over
 * IDV_JOURNAL_BODY_MAX.
 */
idv_rc idv_journal_body(struct idv_bytes members,
                        const struct idv_factory_device *d,
                        struct idv_buf *out) IDV_CHECKED;

/* A signature over the entries up to and including seq. */
struct idv_journal_batch {
    uint64_t seq;
    int64_t time;
    uint8_t hash[32]; /* of entry seq */
    struct idv_buf
        cms; /* over {"seq":..,"hash":hex,"time":..}, signer inside */
};

enum idv_factory_by { IDV_BY_SERIAL, IDV_BY_EK, IDV_BY_KEY };

/*
 * What must be kept. Each call that writes is one transaction and on disk when
 * it returns; several processes may share a store. IDV_E_IO: disk full, locked
 * for longer than ten seconds, nothing was changed; IDV_E_FORMAT: damaged, or a
 * document that a row names is missing or another. An each_ ends early, with
 * IDV_OK, when the callback returns false; what it is given is borrowed.
 */
struct idv_factory_store {
    void *self;
    /* What is read until the view is closed again is of one moment, whatever
     * others write; nothing may be written by this handle meanwhile. */
    idv_rc (*view)(void *self, bool open);
    /* by serial number (text) or hash (32 bytes), by key also when it is an
     * earlier one of the device; the row as it is now */
    idv_rc (*find)(void *self, enum idv_factory_by by, struct idv_bytes what,
                   bool *found, struct idv_factory_device *out);
    /*
     * Writes a device's row as it is to be, and one entry beside it with body
     * idv_journal_body(body, d). from IDV_DEVICE_NONE: it has none yet. An EK
     * that was absent may be added, one that is there stays.
     * IDV_E_REJECT with *why IDV_WHY_DUPLICATE, and a note that names both
     * devices, when the serial number, the EK or the key belongs to another
     * device (retired and wiped ones count too, except that a wiped EK may come
     * again with its own serial number); IDV_WHY_ORDER when the serial number
     * is in another order. A row in IDV_DEVICE_RELEASED has no EK and no key,
     * gives up whatever EKs and keys the serial number had, opens its line of
     * the order again, and counts as IDV_DEVICE_NONE for from. IDV_E_STATE: the
     * row is not in the state from any more; the note says what it is in. *why
     * (may be NULL) is IDV_WHY_STORE beside IDV_E_IO and IDV_E_FORMAT.
     */
    idv_rc (*put)(void *self, const struct idv_factory_device *d,
                  enum idv_factory_state from, const char *kind,
                  struct idv_bytes body, int64_t now,
                  enum idv_factory_why *why);
    /* an entry that changes no device, body idv_journal_body(body, NULL);
     * serial_number NULL or "": of no device */
    idv_rc (*note)(void *self, const char *kind, const char *serial_number,
                   struct idv_bytes body, int64_t now);
    /* IDV_E_REJECT when one with that id and other contents is there, or one of
     * its serial numbers is in another order, or made in one; the same again is
     * IDV_OK and changes nothing */
    idv_rc (*order_add)(void *self, const struct idv_order *o, int64_t now);
    /* What is known of a device before it is made, canonical JSON (replaces
     * what is in *device_json): {"customer","macs":[],"model","order","owner",
     * "profile","serial-number","sku","type"}, the order's own where the device
     * has none, absent ones left out. order NULL: whichever it is in. */
    idv_rc (*order_device)(void *self, const char *order, const char *serial,
                           bool *order_found, bool *found,
                           struct idv_buf *device_json);
    /* Every order with its number of devices and the SHA-256 of its lines:
     * {"customer","id","model","profile","sku","type"}, then order_device's of
     * each device as the order's file has them, each ended by a newline. */
    idv_rc (*each_order)(void *self,
                         bool (*each)(void *arg, const char *order, uint64_t n,
                                      const uint8_t sha256[32]),
                         void *arg);
    /* first serial number of the order that no device has yet, "" none; it is
     * taken for holder (a fixture) until until, so that two get two, and one
     * that comes again gets its own again. IDV_E_STATE: no such order. */
    idv_rc (*order_next)(void *self, const char *order, const char *holder,
                         int64_t now, int64_t until,
                         char serial[IDV_MAX_SERIAL + 1]);
    idv_rc (*challenge_add)(void *self, const char *order,
                            const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                            int64_t now);
    idv_rc (*challenge_find)(void *self, const char *order,
                             const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                             bool *found, int64_t *made);
    /* by serial number; order NULL: all */
    idv_rc (*each_device)(void *self, const char *order,
                          bool (*each)(void *arg,
                                       const struct idv_factory_device *d),
                          void *arg);
    idv_rc (*each_entry)(void *self, uint64_t from,
                         bool (*each)(void *arg,
                                      const struct idv_journal_entry *e),
                         void *arg);
    /* the first entry made at that time or later, 0 none */
    idv_rc (*seq_since)(void *self, int64_t time, uint64_t *seq);
    /* of the newest entry; an empty book has 0 and zeros */
    idv_rc (*head)(void *self, uint64_t *seq, uint8_t hash[32]);
    /* IDV_E_STATE: a batch with that seq or a higher one is there */
    idv_rc (*batch_add)(void *self, const struct idv_journal_batch *b);
    /* the one with the highest seq */
    idv_rc (*batch_last)(void *self, bool *found,
                         struct idv_journal_batch *out);
    idv_rc (*each_batch)(void *self,
                         bool (*each)(void *arg,
                                      const struct idv_journal_batch *b),
                         void *arg);
};

/*
 * Reads what was added since the last batch, and signs it. Nothing to do is
 * IDV_OK, and so is that another process did it meanwhile. IDV_E_REJECT: it
 * does not chain to what was signed before.
 */
idv_rc idv_journal_seal(const struct idv_factory_store *store, EVP_PKEY *key,
                        X509 *cert, const struct idv_env *env) IDV_CHECKED;

/*
 * Where the book ends: what is kept where the line's people cannot write, so
 * that it cannot be cut unseen.
 */
struct idv_journal_head {
    uint64_t seq;     /* of the newest entry */
    uint8_t hash[32]; /* its hash; zeros of an empty book */
    uint64_t sealed; /* the newest batch is over the entries up to it; 0 none */
    int64_t time;    /* when it was read */
};
idv_rc idv_journal_head(const struct idv_factory_store *store,
                        const struct idv_env *env,
                        struct idv_journal_head *out) IDV_CHECKED;
/* {"hash":hex,"sealed":n,"seq":n,"time":RFC 3339} and a newline. from_json:
 * IDV_E_FORMAT for anything else. */
idv_rc idv_journal_head_to_json(const struct idv_journal_head *h,
                                struct idv_buf *out) IDV_CHECKED;
idv_rc idv_journal_head_from_json(struct idv_bytes json,
                                  struct idv_journal_head *out) IDV_CHECKED;

/*
 * Checks each batch's signature under anchors (a certificate of the station
 * itself will do; times of certificates are not judged, a book outlives them),
 * recomputes the chain, and compares the devices' rows, with the documents that
 * they name, and the orders with what the entries say; none may be missing.
 * All of one moment, others may go on writing. Memory: about 100 bytes for each
 * device, 40 for each batch. IDV_E_REJECT: an edit was found, *out says where,
 * and how far it came.
 *
 * What a book cannot tell by itself: entries after the last batch that were
 * changed or taken off together with the rows that they made (seal often;
 * unsigned_entries tells how many there are), and the newest batches taken off,
 * which makes the entries under them such ones. head (NULL: none), which was
 * kept elsewhere, finds both as far as it reaches: its entry is there with its
 * hash, so nothing up to it is changed or missing, and a batch is there that is
 * over all that was signed then. What came after it is as above.
 */
struct idv_journal_verdict {
    uint64_t entries, batches, unsigned_entries, devices, orders;
    int64_t sealed;   /* when the last batch was made, 0 never */
    uint64_t bad_seq; /* first entry that is wrong; 0: none, or no entry */
    char wrong[256];  /* "" or what was found */
};
idv_rc idv_journal_verify(const struct idv_factory_store *store,
                          const STACK_OF(X509) * anchors,
                          const struct idv_journal_head *head,
                          struct idv_journal_verdict *out) IDV_CHECKED;

#endif
