-- SPDX-License-Identifier: Apache-2.0
-- What the CAs of enrollment keep beside certificates issued.
--@ version 3 reader 1

-- EST: numbers of nodes in an Autonomic Control Plane, given for good
CREATE TABLE acp_node (
    id INTEGER PRIMARY KEY,
    client TEXT NOT NULL UNIQUE
);

-- EST: when a certificate was revoked (0 never), and why (CRLReason)
ALTER TABLE issued ADD COLUMN revoked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE issued ADD COLUMN reason INTEGER NOT NULL DEFAULT 0;
UPDATE issued SET revoked = issued WHERE state = 1;
CREATE INDEX issued_revoked ON issued (revoked) WHERE revoked > 0;

-- EST: the last CRL of each CA, who is making the next one since when (0
-- nobody), and how many were revoked when it was made
CREATE TABLE crl (
    ca_sha256 BLOB NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    made BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    revocations BIGINT NOT NULL,
    claimed BIGINT NOT NULL,
    crl BLOB NOT NULL
);

-- EST: requests that another CA is being asked about, since when
CREATE TABLE est_order (
    client_sha256 BLOB NOT NULL,
    csr_sha256 BLOB NOT NULL,
    claimed BIGINT NOT NULL,
    PRIMARY KEY (client_sha256, csr_sha256)
);
