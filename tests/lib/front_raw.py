# SPDX-License-Identifier: Apache-2.0
"""front_raw.py PORT: requests that two servers could read in two ways.

Sends each over a TLS connection of its own to 127.0.0.1:PORT, a further request
for /inner behind it, and prints its name and the statuses of all answers.
"""
import re
import socket
import ssl
import sys

HEAD = b"POST /outer HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
INNER = b"GET /inner HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CASES = [
    ("identity", b"Transfer-Encoding: identity\r\n\r\n"),
    ("xchunked", b"Transfer-Encoding: xchunked\r\n\r\n"),
    ("chunked-identity",
     b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("gzip-chunked", b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("two", b"Transfer-Encoding: chunked\r\n"
            b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ("length-too", b"Content-Length: 4\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two-lengths", b"Content-Length: 0\r\nContent-Length: 61\r\n\r\n"),
    ("blank", b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("bad-chunk", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ("control", b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
]


def ask(port, text):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        with context.wrap_socket(plain) as tls:
            tls.sendall(text)
            got = b""
            try:
                while part := tls.recv(65536):
                    got += part
            except ConnectionError:
                pass
    return [s.decode() for s in re.findall(rb"HTTP/1\.[01] (\d{3})", got)]


for name, text in CASES:
    print(name, *ask(int(sys.argv[1]), HEAD + text + INNER))
