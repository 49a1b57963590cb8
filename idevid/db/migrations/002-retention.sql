-- SPDX-License-Identifier: Apache-2.0
-- What is kept long, and found by its age.
--@ version 2 reader 1

CREATE INDEX session_changed ON session (changed, id);
CREATE INDEX session_began ON session (idevid_sha256, created);
CREATE INDEX status_event_date ON status_event (date, id);
CREATE INDEX issued_date ON issued (issued, id);
CREATE INDEX issued_end ON issued (not_after, id);
CREATE INDEX issue_repeat ON issue (repeat_until);
CREATE INDEX issue_device ON issue (device_id);
