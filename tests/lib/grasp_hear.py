#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hears GRASP on a link and prints each message, read strictly, as JSON.

grasp_hear.py INTERFACE        one line a datagram: from, port, bytes, message
grasp_hear.py INTERFACE ADDRESS PORT   sends rubbish to there, and to the group
"""
import json
import socket
import struct
import sys

GROUP, PORT = "ff02::13", 7017


def item(b, at):
    """The data item at b[at], in its shortest form, and where it ends."""
    kind, short = b[at] >> 5, b[at] & 31
    at += 1
    n = short
    if short >= 24:
        size = {24: 1, 25: 2, 26: 4}[short]
        n = int.from_bytes(b[at:at + size], "big")
        if n < (24, 256, 65536)[short - 24]:
            raise ValueError("not the shortest form")
        at += size
    if kind == 0:
        return n, at
    if kind in (2, 3):
        if len(b) < at + n:
            raise ValueError("cut")
        v = b[at:at + n]
        if kind == 2:
            return socket.inet_ntop(socket.AF_INET6, v), at + n
        return v.decode(), at + n
    if kind != 4:
        raise ValueError(f"kind {kind}")
    out = []
    for _ in range(n):
        v, at = item(b, at)
        out.append(v)
    return out, at


def hear(interface):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::", PORT))
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                 socket.inet_pton(socket.AF_INET6, GROUP) +
                 struct.pack("@I", socket.if_nametoindex(interface)))
    print('{"listening":true}', flush=True)
    while True:
        data, where = s.recvfrom(4096)
        if data[:1] != b"\x85":
            continue
        message, end = item(data, 0)
        if end != len(data):
            raise ValueError("something follows")
        print(json.dumps({"from": where[0].split("%")[0], "port": where[1],
                          "bytes": len(data), "message": message},
                         separators=(",", ":")), flush=True)


def reply(interface, address, port):
    index = socket.if_nametoindex(interface)
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    for data in (b"", b"\xff" * 2000, bytes([0x84, 0x05, 0x01, 0x40, 0x80]),
                 bytes([0x83, 0x01, 0x01, 0x80]), b"\x9a\xff\xff\xff\xff"):
        for _ in range(100):
            s.sendto(data, (address, int(port), 0, index))
            s.sendto(data, (GROUP, PORT, 0, index))


if len(sys.argv) == 2:
    hear(sys.argv[1])
else:
    reply(*sys.argv[1:])
