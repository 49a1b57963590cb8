-- SPDX-License-Identifier: Apache-2.0
-- What the services keep. Times are seconds since 1970, enumerations the
-- numbers of the headers, hashes SHA-256 of DER, "" and x'' stand for absent.

-- MASA: devices made
CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    keyid BLOB NOT NULL,
    serial_number TEXT NOT NULL,
    maker TEXT NOT NULL,
    owner TEXT NOT NULL,
    blocked INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    cert BLOB NOT NULL,
    UNIQUE (serial_number, keyid)
);

-- MASA: registrars and domain CAs known by name
CREATE TABLE known_registrar (
    cert_sha256 BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    nonceless INTEGER NOT NULL,
    blocked INTEGER NOT NULL
);

-- MASA: vouchers, for the same request again
CREATE TABLE issue (
    rvr_sha256 BLOB PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES device (id),
    date BIGINT NOT NULL,
    repeat_until BIGINT NOT NULL,
    domain_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    assertion INTEGER NOT NULL,
    media TEXT NOT NULL,
    voucher BLOB NOT NULL
);

-- MASA: the audit log; only ever grows
CREATE TABLE audit_event (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES device (id),
    date BIGINT NOT NULL,
    domain_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    assertion INTEGER NOT NULL
);
CREATE INDEX audit_event_device ON audit_event (device_id, id);
CREATE INDEX audit_event_date ON audit_event (device_id, date);
CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_event_fixed BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;

-- registrar: the ledger
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    pvr_sha256 BLOB NOT NULL UNIQUE,
    idevid_sha256 BLOB NOT NULL,
    maker TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    nonce TEXT NOT NULL,
    address TEXT NOT NULL,
    state INTEGER NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    media TEXT NOT NULL,
    rvr BLOB NOT NULL,
    voucher BLOB NOT NULL,
    audit_log BLOB NOT NULL
);
CREATE INDEX session_idevid ON session (idevid_sha256, id);
CREATE INDEX session_serial ON session (serial_number, id);

-- registrar: what people decided
CREATE TABLE decision (
    maker TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    decision INTEGER NOT NULL,
    asked BIGINT NOT NULL,
    decided BIGINT NOT NULL,
    PRIMARY KEY (maker, serial_number)
);

-- registrar: reports of pledges
CREATE TABLE status_event (
    id INTEGER PRIMARY KEY,
    pvr_sha256 BLOB NOT NULL
        REFERENCES session (pvr_sha256) ON DELETE CASCADE,
    date BIGINT NOT NULL,
    kind TEXT NOT NULL,
    status INTEGER NOT NULL,
    cert_matches INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX status_event_session ON status_event (pvr_sha256, id);

-- EST: certificates issued
CREATE TABLE issued (
    id INTEGER PRIMARY KEY,
    client_sha256 BLOB NOT NULL,
    csr_sha256 BLOB NOT NULL,
    cert_sha256 BLOB NOT NULL UNIQUE,
    subject_sha256 BLOB NOT NULL,
    serial_number TEXT NOT NULL,
    issued BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    state INTEGER NOT NULL,
    cert BLOB NOT NULL
);
CREATE INDEX issued_request ON issued (client_sha256, csr_sha256, id);
CREATE INDEX issued_subject ON issued (subject_sha256, id);
CREATE INDEX issued_serial ON issued (serial_number, id);
