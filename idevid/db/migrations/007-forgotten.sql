-- SPDX-License-Identifier: Apache-2.0
-- What is known again in a device's log after its own rows were let go.
--@ version 7 reader 1

-- registrar: SHA-256 of maker, serial number and nonce (db/forgotten.c) of
-- requests that a MASA was asked with
CREATE TABLE forgotten (
    digest BLOB NOT NULL PRIMARY KEY
);
