-- SPDX-License-Identifier: Apache-2.0
-- The registrar's gate: who is let in, what was found, vouchers had ahead.
--@ version 5 reader 1

-- registrar: rules, the lowest position first
CREATE TABLE rule (
    id INTEGER PRIMARY KEY,
    position BIGINT NOT NULL,
    action INTEGER NOT NULL,
    maker TEXT NOT NULL,
    model TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    comment TEXT NOT NULL,
    who TEXT NOT NULL,
    date BIGINT NOT NULL
);
CREATE INDEX rule_position ON rule (position, id);

-- registrar: what was odd about a device or a maker (serial number "")
CREATE TABLE finding (
    id INTEGER PRIMARY KEY,
    maker TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    times BIGINT NOT NULL,
    UNIQUE (maker, serial_number, kind, detail)
);
CREATE INDEX finding_serial ON finding (serial_number, id);

-- registrar: nonceless vouchers for devices that have not come yet
CREATE TABLE stored_voucher (
    id INTEGER PRIMARY KEY,
    maker TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    media TEXT NOT NULL,
    fetched BIGINT NOT NULL,
    expires_on BIGINT NOT NULL,
    rvr BLOB NOT NULL,
    voucher BLOB NOT NULL
);
CREATE INDEX stored_voucher_device ON stored_voucher (serial_number, maker, id);

-- registrar: devices that may enroll on an imprint made elsewhere
CREATE TABLE imprinted (
    maker TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    who TEXT NOT NULL,
    date BIGINT NOT NULL,
    PRIMARY KEY (maker, serial_number)
);

-- registrar: proof of a sealed anchor, as it came, and what became of it
CREATE TABLE evidence (
    pvr_sha256 BLOB PRIMARY KEY
        REFERENCES session (pvr_sha256) ON DELETE CASCADE,
    date BIGINT NOT NULL,
    verdict TEXT NOT NULL,
    detail TEXT NOT NULL,
    evidence BLOB NOT NULL
);

-- the connection on which a session's log was judged; reports as they came
ALTER TABLE session ADD COLUMN judged_on BLOB NOT NULL DEFAULT '';
ALTER TABLE status_event ADD COLUMN report BLOB NOT NULL DEFAULT '';
