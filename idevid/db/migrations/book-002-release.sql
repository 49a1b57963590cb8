-- SPDX-License-Identifier: Apache-2.0
-- Claims go with a serial number that was another device's (state 8); the first
-- books of version 1 keep them for good, later ones say so already.
--@ version 2 reader 1
--@ sqlite
DROP TRIGGER claim_kept;
CREATE TRIGGER claim_kept BEFORE DELETE ON claim
WHEN (SELECT state FROM device WHERE serial_number = old.serial_number) <> 8
BEGIN SELECT RAISE(ABORT, 'claims are kept'); END;
--@ postgresql
COMMENT ON TABLE claim IS 'for good, or until state 8 of its serial number';
