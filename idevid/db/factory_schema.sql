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
-- How a version is added is told in schema.sql; here SERVICES_SQL is BOOK_SQL,
-- and a file is called migrations/book-NNN-what.sql.

--@ version 1 reader 1

-- the chain; only ever grows
CREATE TABLE entry (
    seq INTEGER NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    body TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX entry_time ON entry (time);
--@ sqlite
CREATE TRIGGER entry_kept BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER entry_fixed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER entry_next BEFORE INSERT ON entry
WHEN new.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entry)
BEGIN SELECT RAISE(ABORT, 'the journal grows at its end'); END;
--@ postgresql
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE FUNCTION entry_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entry) THEN
    RAISE EXCEPTION 'the journal grows at its end';
END IF;
RETURN NEW;
END $$;
CREATE TRIGGER entry_kept BEFORE DELETE OR UPDATE ON entry
    FOR EACH ROW EXECUTE FUNCTION refuse('the journal only grows');
CREATE TRIGGER entry_whole BEFORE TRUNCATE ON entry
    EXECUTE FUNCTION refuse('the journal only grows');
CREATE TRIGGER entry_next BEFORE INSERT ON entry
    FOR EACH ROW EXECUTE FUNCTION entry_next();
--@ both

-- signatures over all entries up to seq
CREATE TABLE batch (
    seq INTEGER NOT NULL PRIMARY KEY REFERENCES entry (seq),
    time BIGINT NOT NULL,
    hash BLOB NOT NULL,
    cms BLOB NOT NULL
);
--@ sqlite
CREATE TRIGGER batch_kept BEFORE DELETE ON batch
BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER batch_fixed BEFORE UPDATE ON batch
BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
--@ postgresql
CREATE TRIGGER batch_kept BEFORE DELETE OR UPDATE ON batch
    FOR EACH ROW EXECUTE FUNCTION refuse('the journal only grows');
CREATE TRIGGER batch_whole BEFORE TRUNCATE ON batch
    EXECUTE FUNCTION refuse('the journal only grows');
--@ both

-- certificates, requests, replies, escrowed values, also those of identities
-- that were replaced
CREATE TABLE document (
    sha256 BLOB NOT NULL UNIQUE,
    data BLOB NOT NULL
);
--@ sqlite
CREATE TRIGGER document_kept BEFORE DELETE ON document
BEGIN SELECT RAISE(ABORT, 'documents are kept'); END;
CREATE TRIGGER document_fixed BEFORE UPDATE ON document
BEGIN SELECT RAISE(ABORT, 'documents are kept'); END;
--@ postgresql
CREATE TRIGGER document_kept BEFORE DELETE OR UPDATE ON document
    FOR EACH ROW EXECUTE FUNCTION refuse('documents are kept');
CREATE TRIGGER document_whole BEFORE TRUNCATE ON document
    EXECUTE FUNCTION refuse('documents are kept');
--@ both

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
--@ sqlite
CREATE TRIGGER device_kept BEFORE DELETE ON device
BEGIN SELECT RAISE(ABORT, 'devices are kept'); END;
--@ postgresql
CREATE TRIGGER device_kept BEFORE DELETE ON device
    FOR EACH ROW EXECUTE FUNCTION refuse('devices are kept');
CREATE TRIGGER device_whole BEFORE TRUNCATE ON device
    EXECUTE FUNCTION refuse('devices are kept');
--@ both

-- whose an EK (kind 1) or a key (2) is, for ever; also keys that were replaced;
-- gone only with a serial number that was another device's (state 8)
CREATE TABLE claim (
    kind INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    serial_number TEXT NOT NULL REFERENCES device (serial_number),
    PRIMARY KEY (kind, sha256)
) WITHOUT ROWID;
--@ sqlite
CREATE TRIGGER claim_kept BEFORE DELETE ON claim
WHEN (SELECT state FROM device WHERE serial_number = old.serial_number) <> 8
BEGIN SELECT RAISE(ABORT, 'claims are kept'); END;
CREATE TRIGGER claim_fixed BEFORE UPDATE ON claim
BEGIN SELECT RAISE(ABORT, 'claims are kept'); END;
--@ postgresql
CREATE FUNCTION claim_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF (SELECT state FROM device WHERE serial_number = OLD.serial_number) <> 8 THEN
    RAISE EXCEPTION 'claims are kept';
END IF;
RETURN OLD;
END $$;
CREATE TRIGGER claim_kept BEFORE DELETE ON claim
    FOR EACH ROW EXECUTE FUNCTION claim_kept();
CREATE TRIGGER claim_fixed BEFORE UPDATE ON claim
    FOR EACH ROW EXECUTE FUNCTION refuse('claims are kept');
CREATE TRIGGER claim_whole BEFORE TRUNCATE ON claim
    EXECUTE FUNCTION refuse('claims are kept');
--@ both

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
