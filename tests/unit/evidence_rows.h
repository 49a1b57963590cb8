/* SPDX-License-Identifier: Apache-2.0 */
/* What is altered, the verdict, a part of the reason: ROW(name, verdict,
 * reason, change of p). Read more than once. */
ROW(profile, NO_PROFILE, "'token'", strcpy(p->profile, "token"))
ROW(profile_unknown, NO_PROFILE, "'any'", strcpy(p->profile, "any"))

/* the attestations */
ROW(anchor_magic, MALFORMED, "anchor: attestation: not made",
    p->anchor.magic ^= 1)
ROW(counter_magic, MALFORMED, "counter: attestation: not made",
    p->counter.magic ^= 1)
ROW(anchor_quote, MALFORMED, "type 0x8018", p->anchor.type = 0x8018)
ROW(anchor_digest, MALFORMED, "type 0x801c", p->anchor.type = 0x801c)
ROW(anchor_longer, MALFORMED, "bytes after", p->anchor.longer = true)
ROW(counter_longer, MALFORMED, "bytes after", p->counter.longer = true)
ROW(anchor_safe, MALFORMED, "clock", p->anchor.safe = 2)
ROW(anchor_spoilt, BAD_SIGNATURE, "of the anchor", p->anchor.spoilt = true)
ROW(counter_spoilt, BAD_SIGNATURE, "of the counter", p->counter.spoilt = true)
ROW(signers, BAD_SIGNATURE, "two signers", p->counter.hierarchy = 0x40000001)
ROW(anchor_nonce, OTHER_NONCE, "anchor", p->anchor.nonce[31] ^= 1)
ROW(anchor_nonce_cut, OTHER_NONCE, "anchor", p->anchor.nonce_n--)
ROW(counter_nonce, OTHER_NONCE, "counter", p->counter.nonce[0] ^= 1)
ROW(nonce, OTHER_NONCE, "yours",
    (p->nonce[0] ^= 1, p->anchor.nonce[0] ^= 1, p->counter.nonce[0] ^= 1))
ROW(anchor_name, OTHER_INDEX, "anchor", p->anchor.name_alg = 0x000c)
ROW(counter_name, OTHER_INDEX, "counter", p->counter.name_alg = 0x000c)
ROW(anchor_other, OTHER_INDEX, "anchor", p->anchor.other_name = true)
ROW(counter_other, OTHER_INDEX, "counter", p->counter.other_name = true)
ROW(anchor_offset, CUT, "of the anchor", p->anchor.offset = 1)
ROW(counter_offset, CUT, "of the counter", p->counter.offset = 1)
ROW(anchor_cut, CUT, "111 bytes", p->anchor.contents_n--)
ROW(anchor_long, CUT, "113 bytes", p->anchor.contents_n++)
ROW(anchor_empty, CUT, "0 bytes of the anchor", p->anchor.contents_n = 0)
ROW(counter_cut, CUT, "7 bytes", p->counter.contents_n--)
ROW(counter_long, CUT, "9 bytes", p->counter.contents_n++)

/* the key */
ROW(unrestricted, UNRESTRICTED, "not restricted",
    p->key_attributes &= ~(1u << 16))
ROW(moves, UNRESTRICTED, "to its TPM", p->key_attributes &= ~(1u << 1))
ROW(moves_below, UNRESTRICTED, "to its parent", p->key_attributes &= ~(1u << 4))
ROW(brought_in, UNRESTRICTED, "not made", p->key_attributes &= ~(1u << 5))
ROW(no_signer, UNRESTRICTED, "signatures", p->key_attributes &= ~(1u << 18))
ROW(decrypts, UNRESTRICTED, "decryption", p->key_attributes |= 1u << 17)
ROW(no_scheme, WEAK_KEY, "scheme is 0x0010", p->key_scheme = 0x0010)
ROW(rsa_scheme, WEAK_KEY, "scheme is 0x0014", p->key_scheme = 0x0014)
ROW(sha1, WEAK_KEY, "hash 0x0004", p->key_hash = 0x0004)
ROW(ecdaa, MALFORMED, "scheme 0x001a", p->key_scheme = 0x001a)

/* the indices */
ROW(anchor_place, OTHER_PLACE, "the anchor is at 0x01800a02",
    p->anchor_index.index++)
ROW(counter_place, OTHER_PLACE, "the counter is at 0x01800a02",
    p->counter_index.index = 0x01800a02)
ROW(anchor_sha384, MALFORMED, "anchor: public area", p->anchor_index.name_alg = 0x000c)
ROW(counter_sha384, MALFORMED, "counter: public area",
    p->counter_index.name_alg = 0x000c)
ROW(anchor_open, UNLOCKED, "0x22063008", p->anchor_index.attributes = 0x22063008)
ROW(anchor_unwritten, UNLOCKED, "0x02063808",
    p->anchor_index.attributes = 0x02063808)
ROW(anchor_ownerwrite, UNLOCKED, "0x2206380a",
    p->anchor_index.attributes |= 2)
ROW(anchor_authwrite, UNLOCKED, "0x2206380c", p->anchor_index.attributes |= 4)
ROW(anchor_forgets, UNLOCKED, "anchor", p->anchor_index.attributes ^= 1u << 13)
ROW(anchor_small, UNLOCKED, "111 bytes", p->anchor_index.size--)
ROW(counter_small, UNLOCKED, "the counter has 7", p->counter_index.size--)
ROW(counter_plain, UNLOCKED, "the counter has the attributes 0x22060002",
    p->counter_index.attributes = 0x22060002)
ROW(counter_orderly, UNLOCKED, "counter",
    p->counter_index.attributes |= 1u << 26)

/* what they say */
ROW(record_magic, BAD_RECORD, "IDTA", p->anchor.contents[0] = 'X')
ROW(record_version, BAD_RECORD, "version", p->anchor.contents[5] = 2)
ROW(record_flags, BAD_RECORD, "flags", p->anchor.contents[6] = 0x80)
ROW(record_reserved, BAD_RECORD, "reserved", p->anchor.contents[111] = 1)
ROW(record_pin, OTHER_POLICY, "another", p->anchor.contents[24] ^= 1)
ROW(record_length, OTHER_POLICY, "another", p->anchor.contents[59] ^= 1)
ROW(record_voucher, OTHER_POLICY, "another", p->anchor.contents[60] ^= 1)
ROW(record_time, OTHER_POLICY, "another", p->anchor.contents[23] ^= 1)
ROW(record_generation, OTHER_POLICY, "another", p->anchor.contents[15] ^= 1)
ROW(policy, OTHER_POLICY, "another", p->anchor_index.policy[31] ^= 1)
ROW(policy_none, OTHER_POLICY, "another", p->anchor_index.policy_n = 0)
ROW(counter_policy, OTHER_POLICY, "counter has a policy",
    (p->counter_index.policy_n = 32, paper_seal(p)))
ROW(gate_none, OTHER_POLICY, "another", p->gated = false)
ROW(gate_pcrs, OTHER_POLICY, "another", p->gate_pcrs ^= 1)
ROW(gate_digest, OTHER_POLICY, "another", p->gate_digest[0] ^= 1)
ROW(not_fused, NOT_FUSED, "not fused", (p->count = 4, paper_seal(p)))
ROW(behind, NOT_FUSED, "not fused", (p->count = 3, paper_seal(p)))
ROW(reset, RESET, "reset since", (p->count = 6, paper_seal(p)))
ROW(reset_long_ago, RESET, "reset since",
    (p->count = UINT64_MAX, paper_seal(p)))
ROW(last_generation, NOT_FUSED, "not fused",
    (p->record.generation = UINT64_MAX, p->count = 0, paper_seal(p)))
ROW(two_resets, TWO_BOOTS, "restarted", p->counter.resets++)
ROW(two_restarts, TWO_BOOTS, "restarted", p->counter.restarts++)
ROW(clock_back, TWO_BOOTS, "back", p->counter.clock = p->anchor.clock - 1)
ROW(two_firmwares, TWO_BOOTS, "firmwares", p->counter.firmware++)
