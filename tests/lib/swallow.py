#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Addresses where whatever is sent is lost: swallow.py PORT ADDRESS ...

Each has a listener whose queue is full, so that the kernel drops what comes.
Prints "ready" and stays until it is ended.
"""
import signal
import socket
import sys

KEPT = []
for address in sys.argv[2:]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(sys.argv[1])))
    listener.listen(0)
    KEPT.append(listener)
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        KEPT.append(one)
print('ready', flush=True)
signal.pause()
