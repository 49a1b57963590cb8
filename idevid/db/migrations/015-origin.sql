-- SPDX-License-Identifier: Apache-2.0
-- Where domains come from that nobody knows.
--@ version 15 reader 1

-- MASA: by the SHA-256 of the SubjectPublicKeyInfo that is pinned; the network
-- from which a voucher was had, and when first
CREATE TABLE domain_origin (
    key_sha256 BLOB NOT NULL,
    network TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    PRIMARY KEY (key_sha256, network)
);
