-- SPDX-License-Identifier: Apache-2.0
-- What a cloud registrar knows.
--@ version 4 reader 1

-- registrar: whose a device is
CREATE TABLE owner (
    maker TEXT NOT NULL,
    serial_number TEXT NOT NULL,
    kind INTEGER NOT NULL,
    destination TEXT NOT NULL,
    more TEXT NOT NULL,
    pin BLOB NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (maker, serial_number)
);
