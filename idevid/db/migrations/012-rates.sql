-- SPDX-License-Identifier: Apache-2.0
-- How much is asked for.
--@ version 12 reader 1

-- MASA: vouchers for a domain, by the SHA-256 of its SubjectPublicKeyInfo, in
-- the last hour (since 1970) in which it had any, where that is limited
CREATE TABLE domain_hour (
    key_sha256 BLOB NOT NULL PRIMARY KEY,
    hour BIGINT NOT NULL,
    vouchers BIGINT NOT NULL
);
