/* SPDX-License-Identifier: Apache-2.0 */
/* The CA's side of the line: judges requests, has certificates made. */
#ifndef IDEVID_DESK_H
#define IDEVID_DESK_H

#include <idevid/ek.h>
#include <idevid/journal.h>

/* What goes into certificates: texts with {serial} {model} {sku} {mac} {order}
 * {hw-serial} {ek-sha256}; NULL leaves out. One whose placeholder stands for
 * nothing is refused (IDV_WHY_ORDER), not left out. All borrowed. */
struct idv_desk_template {
    const char *common_name; /* NULL: {model}, where the order says one */
    const char *organization, *organizational_unit, *country;
    const char *masa_url;
    const char *hw_type;         /* NULL: TPM 2.0's for TPMs, none for tokens */
    const char *hw_serial;       /* NULL: {hw-serial}, or {serial} */
    bool permanent_identifier;   /* SAN permanentIdentifier of the EK */
    const char *const *policies; /* OIDs for every certificate; NULL-ended */
    bool residency_policies;     /* tcg-cap-verified* where that was proved */
    bool eku_client_auth;
    int64_t not_after; /* 0: 99991231235959Z */
    const char *crl_url, *aia_url;
};

/* Who makes the certificate. spec is complete; csr (may be empty) is a PKCS#10
 * for CAs that want one. IDV_E_DEVICE, IDV_E_NET, IDV_E_TIMEOUT, IDV_E_IO,
 * IDV_E_STATE: not now (IDV_WHY_CA). What is returned is judged against spec
 * and chain (IDV_WHY_CERT), whoever made it. */
struct idv_desk_ca {
    void *self;
    idv_rc (*issue)(void *self, const struct idv_cert_spec *spec,
                    const EVP_PKEY *key, struct idv_bytes csr, X509 **out);
    const STACK_OF(X509) * (*chain)(void *self); /* issuing CA first */
    bool needs_csr;
};
/* A key of ours: opened anew by uri when the device lost it. */
idv_rc idv_desk_ca_local(const char *key_uri, const struct idv_pin *pin,
                         const STACK_OF(X509) * chain,
                         const struct idv_env *env,
                         struct idv_desk_ca *out) IDV_CHECKED;
void idv_desk_ca_local_free(struct idv_desk_ca *ca);

struct idv_desk_conf {
    const struct idv_factory_store *store;
    const struct idv_desk_ca *ca;
    /* of IAKs; NULL: ca, and none is made when that needs a PKCS#10, which a
     * restricted key cannot sign */
    const struct idv_desk_ca *iak_ca;
    const struct idv_desk_template *idevid;
    const STACK_OF(X509) * stations; /* anchors of station certificates: whoever
                                        has one under them is a station */
    const struct idv_roots *roots;   /* NULL: no TPM profile but plain */
    bool without_ek_cert; /* EKs of ek_allowed may come without certificate */
    const uint8_t (*ek_allowed)[32]; /* SHA-256 of their SPKI */
    size_t ek_allowed_n;
    bool ek_check_time;  /* expired EK certificates are refused */
    unsigned profiles;   /* bit 1 << enum idv_factory_profile: taken */
    int64_t challenge_s; /* how long a challenge is good; 0: a day */
    const struct idv_env *env;
};
struct idv_desk;
/* IDV_E_ARG names what of conf is missing or wrong; of templates all that can
 * be judged without a device. conf is copied, what it points to borrowed. */
idv_rc idv_desk_new(const struct idv_desk_conf *conf,
                    struct idv_desk **out) IDV_CHECKED;
void idv_desk_free(struct idv_desk *d);

/* A fresh challenge of an order that is in the store. */
idv_rc idv_desk_challenge(struct idv_desk *d, const char *order,
                          uint8_t out[IDV_FACTORY_CHALLENGE],
                          enum idv_factory_why *why) IDV_CHECKED;
/* Who is at the other end of a connection. */
struct idv_desk_peer {
    const char *address;
    const X509 *cert; /* shown by it, which must be the request's signer */
};
/*
 * Judges a request (CMS) in this order: size, signature by a station, order and
 * serial, challenge, then the device's proof (idv_desk_judge), duplicates; has
 * certificates issued; keeps all in the store; appends the reply (JSON). The
 * same request, or one of the same device with the same keys, gets the same
 * certificates again. peer NULL: it came as a file. *why beside every failure,
 * and an entry "refused" for what a station of ours asked for in vain; what is
 * no request of a station is as for idv_desk_turned_away.
 *
 * A device with an identity and other keys, or another kind of proof, is
 * refused (IDV_WHY_HAS_ONE) unless the request is of a rework; that makes one
 * more issue, and each request of the same rework, and each of none, gets what
 * it made, until another rework makes another.
 */
idv_rc idv_desk_issue(struct idv_desk *d, struct idv_bytes request,
                      const struct idv_desk_peer *peer, struct idv_buf *reply,
                      enum idv_factory_why *why) IDV_CHECKED;

/*
 * Somebody was turned away, for the reason in the note, which stays, and had
 * nothing of a device to show: no station's certificate, no request, too much
 * of one. peer NULL: by a file; its cert may be NULL. The first time in an hour
 * it is an entry "turned-away" {"count","peer","subject","text","why"}; more of
 * the same address are one entry for all, with the last one's text, when the
 * hour is over or the desk is freed. 32 addresses have such entries in an hour,
 * further ones share the name "others": who floods a desk does not fill disks.
 */
void idv_desk_turned_away(struct idv_desk *d, const struct idv_desk_peer *peer,
                          enum idv_factory_why why);

/* What a request's proof shows. */
struct idv_desk_proof {
    EVP_PKEY *key, *iak;      /* the IDevID's; NULL without an IAK */
    struct idv_buf ek_public; /* TPMT_PUBLIC */
    X509 *ek_cert;            /* or NULL */
    struct idv_ek_info ek;
    uint8_t ek_id[32], key_id[32]; /* SHA-256 of the SPKIs */
    struct idv_buf activated_name; /* Name that the credential is bound to */
    const char *dialect;           /* of the TCG-CSR-IDEVID: who writes it so */
    bool residency, fixed, restricted; /* proved once it is activated */
};
void idv_desk_proof_free(struct idv_desk_proof *p);
/* Pure: no store, no CA. */
idv_rc idv_desk_judge(const struct idv_desk_conf *conf,
                      const struct idv_factory_request *r,
                      struct idv_desk_proof *out,
                      enum idv_factory_why *why) IDV_CHECKED;

#endif
