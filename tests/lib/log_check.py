#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A transparency log as RFC 9162 has it, checked by what the RFC says and by
nothing of ours.

    log_check.py URL ANCHORS KEY     what a running log shows
    log_check.py commit SALT KEYID SERIAL   hexadecimal, but the last

Signatures are verified by openssl(1), hashes are hashlib's.
"""
import base64
import hashlib
import json
import ssl
import subprocess
import sys
import tempfile
import urllib.request


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mth(leaves):  # section 2.1.1
    n = len(leaves)
    if n == 0:
        return sha()
    if n == 1:
        return leaves[0]
    k = 1
    while k * 2 < n:
        k *= 2
    return sha(b"\1", mth(leaves[:k]), mth(leaves[k:]))


class Item:
    """A TransItem, read from its front."""

    def __init__(self, text, kind):
        self.raw = base64.b64decode(text, validate=True)
        self.at = 0
        assert self.number(2) == kind, "another kind of item"

    def take(self, n):
        assert self.at + n <= len(self.raw), "cut short"
        self.at += n
        return self.raw[self.at - n : self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def vector(self, n):
        return self.take(self.number(n))

    def path(self):
        rest, out = self.vector(2), []
        while rest:
            assert rest[0] == 32
            out.append(rest[1:33])
            rest = rest[33:]
        return out

    def end(self):
        assert self.at == len(self.raw), "more than that"


def log_id(der):  # 2.25.N of a UUID of version 8 made of the key's hash
    v = bytearray(sha(der)[:16])
    v[6] = v[6] & 0x0F | 0x80
    v[8] = v[8] & 0x3F | 0x80
    n, digits = int.from_bytes(v, "big"), []
    while n or not digits:
        digits.insert(0, n % 128 | (0x80 if digits else 0))
        n //= 128
    return bytes([2 * 40 + 25] + digits)


def read_head(text, key):  # section 4.10
    i = Item(text, 0x0104)
    log, start = i.vector(1), i.at
    timestamp, size, root = i.number(8), i.number(8), i.vector(1)
    assert i.vector(2) == b"", "extensions"
    signed, signature = i.raw[start : i.at], i.vector(2)
    i.end()
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", key, "-outform", "DER"],
        check=True, capture_output=True).stdout
    assert log == log_id(der), "another log"
    with tempfile.NamedTemporaryFile() as s:
        s.write(signature)
        s.flush()
        subprocess.run(
            ["openssl", "dgst", "-sha256", "-verify", key, "-signature", s.name],
            input=signed, check=True, capture_output=True)
    return log, timestamp, size, root


def verify_inclusion(leaf, index, size, path, root):  # section 2.1.3.2
    assert index < size
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn != 0
        if fn & 1 or fn == sn:
            r = sha(b"\1", p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\1", r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0 and r == root, "not included"


def verify_consistency(first, first_root, second, second_root, path):
    # section 2.1.4.2
    assert path
    if first & (first - 1) == 0:
        path = [first_root] + path
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        assert sn != 0
        if fn & 1 or fn == sn:
            fr, sr = sha(b"\1", c, fr), sha(b"\1", c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha(b"\1", sr, c)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0 and fr == first_root and sr == second_root, "inconsistent"


class Log:
    def __init__(self, url, anchors, key):
        tls = ssl.create_default_context(cafile=anchors)
        self.url = url + "/log/v1/"
        self.open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=tls)).open
        self.log, self.time, self.size, self.root = read_head(
            self.get("get-sth")["sth"], key)

    def get(self, path):
        with self.open(self.url + path) as r:
            assert r.headers["Content-Type"] == "application/json"
            return json.load(r)

    def entries(self):
        out = []
        while len(out) < self.size:
            page = self.get(f"get-entries/{len(out)}/{self.size - 1}")
            assert page["entries"], "a gap"
            out += [e["log_entry"] for e in page["entries"]]
        return out

    def inclusion(self, leaf, index):
        got = self.get(f"get-proof-by-hash/{leaf.hex()}/{self.size}")
        i = Item(got["inclusion"], 0x0106)
        assert i.vector(1) == self.log
        assert (i.number(8), i.number(8)) == (self.size, index)
        verify_inclusion(leaf, index, self.size, i.path(), self.root)
        i.end()

    def consistency(self, first, first_root):
        got = self.get(f"get-sth-consistency/{first}/{self.size}")
        i = Item(got["consistency"], 0x0105)
        assert i.vector(1) == self.log
        assert (i.number(8), i.number(8)) == (first, self.size)
        verify_consistency(first, first_root, self.size, self.root, i.path())
        i.end()


def read_entry(text):
    i = Item(text, 0xF000)
    out = {"time": i.number(8), "domain": i.vector(1), "nonce": i.vector(1),
           "assertion": i.vector(1).decode(), "commitment": i.take(32)}
    i.end()
    return out


def check(url, anchors, key):
    log = Log(url, anchors, key)
    items = log.entries()
    leaves = [sha(b"\0", base64.b64decode(e)) for e in items]
    assert mth(leaves) == log.root, "the entries are not the tree's"
    for index, leaf in enumerate(leaves):
        log.inclusion(leaf, index)
    for first in range(1, log.size):
        log.consistency(first, mth(leaves[:first]))
    last = read_entry(items[-1])
    print(log.size, last["assertion"], last["commitment"].hex())


def commit(salt, keyid, serial):
    k, s = bytes.fromhex(keyid), serial.encode()
    print(sha(bytes.fromhex(salt), bytes([len(k)]), k, bytes([len(s)]),
              s).hex())


if __name__ == "__main__":
    (commit if sys.argv[1] == "commit" else check)(*sys.argv[-3:])
