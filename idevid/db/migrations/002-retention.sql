-- SPDX-License-Identifier: Apache-2.0
-- What is kept long, and what is found by its age.
--@ version 2 reader 1

CREATE INDEX session_changed ON session (changed);
CREATE INDEX issue_repeat ON issue (repeat_until);
CREATE INDEX issue_device ON issue (device_id);
CREATE INDEX issued_end ON issued (not_after);
