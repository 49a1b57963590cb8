#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Stands in for a service manager: binds a datagram socket (NAME, or @NAME in
# the abstract space) and writes what is sent there to standard output, a line
# for each line, until it is ended.
import socket
import sys

name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\0' + name[1:] if name.startswith('@') else name)
print('LISTENING', flush=True)
while True:
    for line in s.recv(4096).decode().split('\n'):
        print(line, flush=True)
