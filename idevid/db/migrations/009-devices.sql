-- SPDX-License-Identifier: Apache-2.0
-- What kind of device it is, whom it was sold to, how it stands.
--@ version 9 reader 1

-- MASA: state says why a device is blocked (0 it is not, or nobody said more)
ALTER TABLE device ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN customer TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN state INTEGER NOT NULL DEFAULT 0;

-- MASA: what people said of devices; only ever grows
CREATE TABLE device_change (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES device (id),
    date BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX device_change_device ON device_change (device_id, id);
--@ sqlite
CREATE TRIGGER device_change_kept BEFORE DELETE ON device_change
BEGIN SELECT RAISE(ABORT, 'the history of devices only grows'); END;
CREATE TRIGGER device_change_fixed BEFORE UPDATE ON device_change
BEGIN SELECT RAISE(ABORT, 'the history of devices only grows'); END;
--@ postgresql
CREATE TRIGGER device_change_kept BEFORE DELETE OR UPDATE ON device_change
    FOR EACH ROW EXECUTE FUNCTION refuse('the history of devices only grows');
CREATE TRIGGER device_change_whole BEFORE TRUNCATE ON device_change
    EXECUTE FUNCTION refuse('the history of devices only grows');
--@ both
