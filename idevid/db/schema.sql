-- SPDX-License-Identifier: Apache-2.0
-- What the services keep. Times are seconds since 1970, enumerations the
-- numbers of the headers, hashes SHA-256 of DER, "" and x'' stand for absent.
--
-- How a version is added. A version that has been released is never edited.
-- The next one is a file of its own, migrations/NNN-what.sql, named at the end
-- of SERVICES_SQL in Makefile.inc, and begins with
--     --@ version N reader M
-- N is one more than the last; M is the oldest version that a program may know
-- and still use the result: that of the row before, as long as all that is done
-- is added (CREATE TABLE, CREATE INDEX, ADD COLUMN ... DEFAULT), so that old
-- and new programs run side by side on one database. What an old program would
-- trip over, such as a column dropped or filled otherwise, waits until one
-- minor version later, when M can be raised; older programs then refuse the
-- database by name. At the first start of a new program all its versions are
-- applied in one transaction while other starters wait.
--
-- One text serves both: it is written for SQLite, and for PostgreSQL BLOB
-- becomes BYTEA, INTEGER PRIMARY KEY a BIGINT identity. What cannot be said for
-- both stands after "--@ sqlite" or "--@ postgresql", up to "--@ both". Whole
-- lines are comments or none are. tests/unit/test_schema.c brings a database of
-- version 1 to the last one on both.

--@ version 1 reader 1

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
--@ sqlite
CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_event_fixed BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
--@ postgresql
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE TRIGGER audit_event_kept BEFORE DELETE OR UPDATE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION refuse('the audit log only grows');
CREATE TRIGGER audit_event_whole BEFORE TRUNCATE ON audit_event
    EXECUTE FUNCTION refuse('the audit log only grows');
--@ both

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
