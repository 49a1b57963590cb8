-- SPDX-License-Identifier: Apache-2.0
-- The line's book (idevid/journal.h). Times are seconds since 1970,
-- enumerations the numbers of the headers, hashes SHA-256, "" and x'' stand for
-- absent. What is signed are the entries; all else is what they say, in a form
-- that can be looked up, and is compared with them by verify:
--   device      the row that the last entry with that serial number has
--   document    found by its own hash, which rows and entries name
--   claim       made with the device's row; a wrong one can only refuse
--   work_order, order_device    the lines whose hash the entry "order" has
--   challenge   names the entry that has it
-- Texts of bodies are JSON, members sorted, so that sqlite3 shows and queries
-- them (json_extract) and anybody can hash them.

-- the chain; only ever grows
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    body TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX entry_time ON entry (time);
CREATE TRIGGER entry_kept BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER entry_fixed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER entry_next BEFORE INSERT ON entry
WHEN new.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entry)
BEGIN SELECT RAISE(ABORT, 'the journal grows at its end'); END;

-- signatures over all entries up to seq
CREATE TABLE batch (
    seq INTEGER PRIMARY KEY REFERENCES entry (seq),
    time BIGINT NOT NULL,
    hash BLOB NOT NULL,
    cms BLOB NOT NULL
);
CREATE TRIGGER batch_kept BEFORE DELETE ON batch
BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER batch_fixed BEFORE UPDATE ON batch
BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;

-- certificates, requests, replies, escrowed values, also those of identities
-- that were replaced
CREATE TABLE document (
    sha256 BLOB NOT NULL UNIQUE,
    data BLOB NOT NULL
);
CREATE TRIGGER document_kept BEFORE DELETE ON document
BEGIN SELECT RAISE(ABORT, 'documents are kept'); END;
CREATE TRIGGER document_fixed BEFORE UPDATE ON document
BEGIN SELECT RAISE(ABORT, 'documents are kept'); END;

-- devices as they are now; the last five name documents
CREATE TABLE device (
    serial_number TEXT PRIMARY KEY,
    order_id TEXT NOT NULL,
    model TEXT NOT NULL,
    profile INTEGER NOT NULL,
    state INTEGER NOT NULL,
    ek BLOB NOT NULL,
    key BLOB NOT NULL,
    issue INTEGER NOT NULL,
    station TEXT NOT NULL,
    operator TEXT NOT NULL,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    cert BLOB NOT NULL,
    iak_cert BLOB NOT NULL,
    request BLOB NOT NULL,
    reply BLOB NOT NULL,
    escrow BLOB NOT NULL
);
CREATE INDEX device_order ON device (order_id, serial_number);
CREATE TRIGGER device_kept BEFORE DELETE ON device
BEGIN SELECT RAISE(ABORT, 'devices are kept'); END;

-- whose an EK (kind 1) or a key (2) is, for ever; also keys that were replaced;
-- gone only with a serial number that was another device's (state 8)
CREATE TABLE claim (
    kind INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    serial_number TEXT NOT NULL REFERENCES device (serial_number),
    PRIMARY KEY (kind, sha256)
) WITHOUT ROWID;
CREATE TRIGGER claim_kept BEFORE DELETE ON claim
WHEN (SELECT state FROM device WHERE serial_number = old.serial_number) <> 8
BEGIN SELECT RAISE(ABORT, 'claims are kept'); END;
CREATE TRIGGER claim_fixed BEFORE UPDATE ON claim
BEGIN SELECT RAISE(ABORT, 'claims are kept'); END;

CREATE TABLE work_order (
    id TEXT PRIMARY KEY,
    devices INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    body TEXT NOT NULL
);

-- a line of an order; held by a fixture until then, or made
CREATE TABLE order_device (
    serial_number TEXT PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES work_order (id),
    position INTEGER NOT NULL,
    body TEXT NOT NULL,
    made INTEGER NOT NULL DEFAULT 0,
    holder TEXT NOT NULL DEFAULT '',
    held_until BIGINT NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX order_device_position ON order_device (order_id, position);
CREATE INDEX order_device_next ON order_device (order_id, position)
    WHERE made = 0;
CREATE INDEX order_device_holder ON order_device (order_id, holder)
    WHERE holder <> '';

CREATE TABLE challenge (
    challenge BLOB PRIMARY KEY,
    seq INTEGER NOT NULL REFERENCES entry (seq)
) WITHOUT ROWID;
