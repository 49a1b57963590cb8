-- SPDX-License-Identifier: Apache-2.0
-- What all machines of a service on one database show alike.
--@ version 6 reader 1

-- registrar: the certificate that pledges see; the newest begins the latest
CREATE TABLE shown (
    role TEXT NOT NULL PRIMARY KEY,
    cert_sha256 BLOB NOT NULL,
    not_before BIGINT NOT NULL,
    subject TEXT NOT NULL
);
