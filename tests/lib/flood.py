#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends GRASP floods on a link, or whatever bytes are given in hex.

flood.py INTERFACE [--hex BYTES] [--port N] [--ttl MS] [--loops N]
         [--address LITERAL] [--objective NAME] [--source LITERAL] [+ ...]
"""
import argparse
import ipaddress
import socket
import struct
import sys

GROUP, PORT = "ff02::13", 7017


def head(kind, n):
    if n < 24:
        return bytes([kind << 5 | n])
    for size, code in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if n < 1 << 8 * size:
            return bytes([kind << 5 | code]) + n.to_bytes(size, "big")
    raise ValueError(n)


def cbor(v):
    if isinstance(v, int):
        return head(0, v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v)) + v.encode()
    return head(4, len(v)) + b"".join(cbor(x) for x in v)


def own_address(interface):
    with open("/proc/net/if_inet6", encoding="ascii") as f:
        for line in f:
            address, _, _, scope, _, name = line.split()
            if name == interface and scope == "20":
                return bytes.fromhex(address)
    raise SystemExit(f"{interface}: no link-local address")


def flood(interface, a):
    me = own_address(interface)
    at = ipaddress.IPv6Address(a.address).packed if a.address else me
    return cbor([9, 0x1234, me, a.ttl,
                 [[a.objective, 4, a.loops, ""], [103, at, 6, a.port]]])


def options(words):
    p = argparse.ArgumentParser()
    p.add_argument("--hex", type=bytes.fromhex)
    p.add_argument("--port", type=int, default=4443)
    p.add_argument("--ttl", type=int, default=180000)
    p.add_argument("--loops", type=int, default=1)
    p.add_argument("--address")
    p.add_argument("--objective", default="AN_Proxy")
    p.add_argument("--source")
    return p.parse_args(words)


def send(interface, a):
    index = socket.if_nametoindex(interface)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF,
                     struct.pack("@I", index))
        if a.source:
            s.bind((a.source, 0))
        s.sendto(a.hex if a.hex is not None else flood(interface, a),
                 (GROUP, PORT, 0, index))


def main():
    interface, words = sys.argv[1], sys.argv[2:]
    while "+" in words:
        at = words.index("+")
        send(interface, options(words[:at]))
        words = words[at + 1:]
    send(interface, options(words))


main()
