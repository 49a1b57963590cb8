-- SPDX-License-Identifier: Apache-2.0
-- What devices prove of the anchor that they keep.
--@ version 13 reader 1

-- MASA: the generation that a device's TPM was at when a domain had a voucher
-- for it; a row where it differs from the one before
CREATE TABLE imprint (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES device (id),
    date BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    domain_id TEXT NOT NULL
);
CREATE INDEX imprint_device ON imprint (device_id, id);
CREATE INDEX imprint_highest ON imprint (device_id, generation);
