-- SPDX-License-Identifier: Apache-2.0
-- A database of version 1, as the first program left it (SQLite).
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO device VALUES(1,X'0102030405060708090a0b0c0d0e0f1011121314','JADA123456789','jada','ZG9tYWlu',0,'',X'3000');
INSERT INTO device VALUES(2,X'02','JADA123456790','jada','',1,'stolen',X'');
CREATE TABLE known_registrar (
    cert_sha256 BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    nonceless INTEGER NOT NULL,
    blocked INTEGER NOT NULL
);
INSERT INTO known_registrar VALUES(X'1111111111111111111111111111111111111111111111111111111111111111','campus',1,0);
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
INSERT INTO issue VALUES(X'2222222222222222222222222222222222222222222222222222222222222222',1,1700000000,1700086400,'ZG9tYWlu','bm9uY2U=',1,'application/voucher-cms+json',X'766f7563686572');
CREATE TABLE audit_event (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES device (id),
    date BIGINT NOT NULL,
    domain_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    assertion INTEGER NOT NULL
);
INSERT INTO audit_event VALUES(1,1,1700000000,'ZG9tYWlu','bm9uY2U=',1);
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
INSERT INTO session VALUES(1,X'3333333333333333333333333333333333333333333333333333333333333333',X'4444444444444444444444444444444444444444444444444444444444444444','jada','JADA123456789','bm9uY2U=','192.0.2.1',12,0,'',1700000000,1700000060,0,'application/voucher-cms+json',X'727672',X'766f7563686572',X'7b7d');
CREATE TABLE decision (
    maker TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    decision INTEGER NOT NULL,
    asked BIGINT NOT NULL,
    decided BIGINT NOT NULL,
    PRIMARY KEY (maker, serial_number)
);
INSERT INTO decision VALUES('jada','JADA123456789',2,1699990000,1699999000);
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
INSERT INTO status_event VALUES(1,X'3333333333333333333333333333333333333333333333333333333333333333',1700000050,'voucher_status',1,0,'','');
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
INSERT INTO issued VALUES(1,X'4444444444444444444444444444444444444444444444444444444444444444',X'5555555555555555555555555555555555555555555555555555555555555555',X'6666666666666666666666666666666666666666666666666666666666666666',X'7777777777777777777777777777777777777777777777777777777777777777','JADA123456789',1700000055,1731536055,0,X'3000');
CREATE INDEX audit_event_device ON audit_event (device_id, id);
CREATE INDEX audit_event_date ON audit_event (device_id, date);
CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_event_fixed BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE INDEX session_idevid ON session (idevid_sha256, id);
CREATE INDEX session_serial ON session (serial_number, id);
CREATE INDEX status_event_session ON status_event (pvr_sha256, id);
CREATE INDEX issued_request ON issued (client_sha256, csr_sha256, id);
CREATE INDEX issued_subject ON issued (subject_sha256, id);
CREATE INDEX issued_serial ON issued (serial_number, id);
COMMIT;
PRAGMA application_id = 1229210966;
PRAGMA user_version = 1;
