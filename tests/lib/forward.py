#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""forward.py SOCKET: a TCP port of the kernel's choice before a local socket,
for servers that cannot say which port they were given."""
import json
import select
import socket
import sys
import threading


def carry(client):
    server = socket.socket(socket.AF_UNIX)
    server.connect(sys.argv[1])
    other = {client: server, server: client}
    while True:
        for ready in select.select(list(other), [], [])[0]:
            data = ready.recv(65536)
            if not data:
                client.close()
                server.close()
                return
            other[ready].sendall(data)


def main():
    listener = socket.create_server(('127.0.0.1', 0))
    print(json.dumps({'event': 'listening',
                      'port': listener.getsockname()[1]},
                     separators=(',', ':')), flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=carry, args=(client,), daemon=True).start()


main()
