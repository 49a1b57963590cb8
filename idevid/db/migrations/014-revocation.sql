-- SPDX-License-Identifier: Apache-2.0
-- What issuers say of registrars' certificates.
--@ version 14 reader 1

-- MASA: a certificate and that of its issuer; when it was needed last, first
-- without an answer, and is to be looked at next (by one process: until then it
-- is at it); until when it is known as good (0 never), since when looking fails
-- (0 it does not), and that it is revoked
CREATE TABLE cert_status (
    cert_sha256 BLOB NOT NULL PRIMARY KEY,
    cert BLOB NOT NULL,
    issuer BLOB NOT NULL,
    wanted BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    due BIGINT NOT NULL,
    good_until BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    revoked INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX cert_status_due ON cert_status (due);
CREATE INDEX cert_status_wanted ON cert_status (wanted);
