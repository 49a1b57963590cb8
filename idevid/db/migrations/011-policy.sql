-- SPDX-License-Identifier: Apache-2.0
-- What was set for models, customers and devices.
--@ version 11 reader 1

-- MASA: of 1 a model, 2 a customer, 3 a device (its id, else 0; subject is its
-- serial number)
CREATE TABLE policy (
    kind INTEGER NOT NULL,
    subject TEXT NOT NULL,
    device_id BIGINT NOT NULL,
    setting TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, subject, device_id, setting)
);

-- MASA: who set it ("" taken back); only ever grows
CREATE TABLE policy_change (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    subject TEXT NOT NULL,
    device_id BIGINT NOT NULL,
    date BIGINT NOT NULL,
    who TEXT NOT NULL,
    setting TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE INDEX policy_change_subject
    ON policy_change (kind, subject, device_id, id);
--@ sqlite
CREATE TRIGGER policy_change_kept BEFORE DELETE ON policy_change
BEGIN SELECT RAISE(ABORT, 'the history of policies only grows'); END;
CREATE TRIGGER policy_change_fixed BEFORE UPDATE ON policy_change
BEGIN SELECT RAISE(ABORT, 'the history of policies only grows'); END;
--@ postgresql
CREATE TRIGGER policy_change_kept BEFORE DELETE OR UPDATE ON policy_change
    FOR EACH ROW EXECUTE FUNCTION refuse('the history of policies only grows');
CREATE TRIGGER policy_change_whole BEFORE TRUNCATE ON policy_change
    EXECUTE FUNCTION refuse('the history of policies only grows');
--@ both
