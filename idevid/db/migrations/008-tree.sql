-- SPDX-License-Identifier: Apache-2.0
-- The Merkle tree over the MASA's log.
--@ version 8 reader 1

-- MASA: leaf by leaf, from 0; what the commitment to the serial number was
-- salted with; the leaf's hash, and those of the subtrees that it completes,
-- from level 1 up (32 bytes each)
CREATE TABLE tree_leaf (
    position INTEGER PRIMARY KEY,
    event_id BIGINT NOT NULL UNIQUE REFERENCES audit_event (id),
    salt BLOB NOT NULL,
    leaf_hash BLOB NOT NULL UNIQUE,
    subtrees BLOB NOT NULL
);

-- MASA: tree heads as signed, the last one the largest; time in milliseconds
CREATE TABLE tree_head (
    id INTEGER PRIMARY KEY,
    size BIGINT NOT NULL,
    signed BIGINT NOT NULL,
    head BLOB NOT NULL
);

-- registrar: the head of each maker's tree that was proved last
CREATE TABLE maker_log (
    maker TEXT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    head BLOB NOT NULL
);

-- MASA: events that are not in the tree yet, whoever put them into the log;
-- those from before there was a tree among them
CREATE TABLE tree_wait (
    event_id INTEGER PRIMARY KEY
);
INSERT INTO tree_wait (event_id) SELECT id FROM audit_event;
--@ sqlite
CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_event
BEGIN INSERT INTO tree_wait (event_id) VALUES (NEW.id); END;
CREATE TRIGGER tree_leaf_kept BEFORE DELETE ON tree_leaf
BEGIN SELECT RAISE(ABORT, 'the tree only grows'); END;
CREATE TRIGGER tree_leaf_fixed BEFORE UPDATE ON tree_leaf
BEGIN SELECT RAISE(ABORT, 'the tree only grows'); END;
CREATE TRIGGER tree_head_kept BEFORE DELETE ON tree_head
BEGIN SELECT RAISE(ABORT, 'tree heads are kept'); END;
CREATE TRIGGER tree_head_fixed BEFORE UPDATE ON tree_head
BEGIN SELECT RAISE(ABORT, 'tree heads are kept'); END;
--@ postgresql
CREATE FUNCTION wait_for_tree() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN INSERT INTO tree_wait (event_id) VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_event
    FOR EACH ROW EXECUTE FUNCTION wait_for_tree();
CREATE TRIGGER tree_leaf_kept BEFORE DELETE OR UPDATE ON tree_leaf
    FOR EACH ROW EXECUTE FUNCTION refuse('the tree only grows');
CREATE TRIGGER tree_leaf_whole BEFORE TRUNCATE ON tree_leaf
    EXECUTE FUNCTION refuse('the tree only grows');
CREATE TRIGGER tree_head_kept BEFORE DELETE OR UPDATE ON tree_head
    FOR EACH ROW EXECUTE FUNCTION refuse('tree heads are kept');
CREATE TRIGGER tree_head_whole BEFORE TRUNCATE ON tree_head
    EXECUTE FUNCTION refuse('tree heads are kept');
--@ both
