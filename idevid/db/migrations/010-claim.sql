-- SPDX-License-Identifier: Apache-2.0
-- Whose a request to a MASA is.
--@ version 10 reader 1

-- registrar: the process that asks the MASA (db/life.h), and since when: as
-- long as that is changed
ALTER TABLE session ADD COLUMN claimer TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN claimed BIGINT NOT NULL DEFAULT 0;
