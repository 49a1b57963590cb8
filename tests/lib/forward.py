#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""forward.py SERVER [BYTES COMMAND]: a TCP port of the kernel's choice before
a local socket or another port, for servers that cannot say which port they were
given. When so many bytes of the server have come through, the command is run,
and the line is dead from then on."""
import json
import select
import socket
import subprocess
import sys
import threading

AT = int(sys.argv[2]) if len(sys.argv) > 2 else None
PASSED = 0


def connect():
    if sys.argv[1].isdigit():
        return socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    server = socket.socket(socket.AF_UNIX)
    server.connect(sys.argv[1])
    return server


def strike(client, data):
    """What of data is still passed on; None: all is over."""
    global PASSED
    before, PASSED = PASSED, PASSED + len(data)
    if AT is None or PASSED < AT:
        return data
    if before < AT:
        client.sendall(data[:AT - before])
        subprocess.run(sys.argv[3], shell=True, check=False)
    return None


def carry(client):
    server = connect()
    other = {client: server, server: client}
    while True:
        for ready in select.select(list(other), [], [])[0]:
            data = ready.recv(65536)
            if data and ready is server:
                data = strike(client, data)
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
