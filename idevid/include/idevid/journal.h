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
};
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

/* One entry of the book. body: JSON object, canonical (sorted, no blanks). */
struct idv_journal_entry {
    uint64_t seq; /* 1, 2 ... */
    int64_t time;
    char kind[32]; /* "order" "seen" "requested" "issued" "installed" "done"
                      "failed" "retired" "wiped" "refused" "challenge" ... */
    char serial_number[IDV_MAX_SERIAL + 1]; /* "" of no device */
    struct idv_buf body;
    uint8_t previous[32], hash[32];
};
/* hash = SHA-256(previous || seq u64 || time u64 || kind 00 || serial 00 ||
 * SHA-256(body)), big-endian. */
void idv_journal_hash(const struct idv_journal_entry *e, uint8_t out[32]);

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
 * What must be kept. Each call is one transaction and on disk when it returns;
 * several processes may share a store. IDV_E_IO: disk full, damaged, nothing
 * was changed.
 */
struct idv_factory_store {
    void *self;
    /* by serial number (text) or hash (32 bytes); the newest issue */
    idv_rc (*find)(void *self, enum idv_factory_by by, struct idv_bytes what,
                   bool *found, struct idv_factory_device *out);
    /*
     * Writes a device's row as it is to be, and one entry beside it.
     * IDV_E_REJECT with *why IDV_WHY_DUPLICATE, and a note that names both
     * devices, when the serial number, the EK or the key belongs to another
     * device (retired and wiped ones count too, except that a wiped EK may come
     * again with its own serial number). IDV_E_STATE: the row is not in the
     * state from any more.
     */
    idv_rc (*put)(void *self, const struct idv_factory_device *d,
                  enum idv_factory_state from, const char *kind,
                  struct idv_bytes body, int64_t now,
                  enum idv_factory_why *why);
    /* an entry that changes no device */
    idv_rc (*note)(void *self, const char *kind, const char *serial_number,
                   struct idv_bytes body, int64_t now);
    /* orders: IDV_E_REJECT when one with that id and other contents is there,
     * or one of its serial numbers is in another order */
    idv_rc (*order_add)(void *self, const struct idv_order *o, int64_t now);
    idv_rc (*order_device)(void *self, const char *order, const char *serial,
                           bool *order_found, bool *found,
                           struct idv_buf *device_json);
    /* first serial number of the order that no device has yet, "" none; it is
     * taken for holder (a fixture) until until, so that two get two */
    idv_rc (*order_next)(void *self, const char *order, const char *holder,
                         int64_t now, int64_t until,
                         char serial[IDV_MAX_SERIAL + 1]);
    /* challenges of an order: the newest first */
    idv_rc (*challenge_add)(void *self, const char *order,
                            const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                            int64_t now);
    idv_rc (*challenge_find)(void *self, const char *order,
                             const uint8_t challenge[IDV_FACTORY_CHALLENGE],
                             bool *found, int64_t *made);
    idv_rc (*each_device)(void *self, const char *order, /* NULL: all */
                          bool (*each)(void *arg,
                                       const struct idv_factory_device *d),
                          void *arg);
    idv_rc (*each_entry)(void *self, uint64_t from,
                         bool (*each)(void *arg,
                                      const struct idv_journal_entry *e),
                         void *arg);
    idv_rc (*head)(void *self, uint64_t *seq, uint8_t hash[32]);
    idv_rc (*batch_add)(void *self, const struct idv_journal_batch *b);
    idv_rc (*each_batch)(void *self,
                         bool (*each)(void *arg,
                                      const struct idv_journal_batch *b),
                         void *arg);
};

/* Signs what was added since the last batch; nothing to do is IDV_OK. */
idv_rc idv_journal_seal(const struct idv_factory_store *store, EVP_PKEY *key,
                        X509 *cert, const struct idv_env *env) IDV_CHECKED;

struct idv_journal_verdict {
    uint64_t entries, batches, unsigned_entries, devices;
    uint64_t bad_seq; /* first entry that is wrong; 0 none */
    char wrong[256];  /* "" or what was found */
};
/* Recomputes the chain, checks each batch's signature under anchors, and that
 * the devices' rows are what the entries say. IDV_E_REJECT: an edit was found,
 * *out says where. */
idv_rc idv_journal_verify(const struct idv_factory_store *store,
                          const STACK_OF(X509) * anchors,
                          struct idv_journal_verdict *out) IDV_CHECKED;

#endif
