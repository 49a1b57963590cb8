#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What TPM vendors' servers do, out of Python's own library and openssl(1).

ek_server.py SERVER.pem FOLDER: serves the EK certificates in FOLDER (*.der)
over https on a port that the kernel chooses, each at the path that its vendor
would have it at:

  /ekcertservice/HASH   Intel: URL-safe base64 of SHA-256 over modulus and
                        exponent, or the coordinates; a JSON object comes back
                        with the certificate in URL-safe base64, '=' escaped
  /pki/aia/HASH         AMD: the first 16 bytes, in hex, of SHA-256 over a word
                        for the type, exponent and modulus, or the coordinates;
                        the certificate in DER comes back

Prints a JSON line when it listens; each path asked for is a line after it.
"""
import base64
import glob
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import urllib.parse


def openssl(*argv, data):
    return subprocess.run(('openssl',) + argv, input=data, check=True,
                          stdout=subprocess.PIPE).stdout


def numbers(cert):
    """Of the certificate's key: is it RSA, and its bytes, without exponent."""
    pem = openssl('x509', '-inform', 'DER', '-pubkey', '-noout', data=cert)
    text = openssl('pkey', '-pubin', '-noout', '-text', data=pem)
    if text.startswith(b'RSA') or b'Modulus' in text:
        line = openssl('rsa', '-pubin', '-noout', '-modulus', data=pem)
        return True, bytes.fromhex(line.decode().strip().split('=')[1])
    spki = openssl('pkey', '-pubin', '-outform', 'DER', data=pem)
    bits = 384 if b'384' in text else 256
    return False, spki[-bits // 4:]


def b64url(raw):
    return base64.urlsafe_b64encode(raw).decode()


def answers(cert):
    rsa, raw = numbers(cert)
    intel = hashlib.sha256(raw + (b'\1\0\1' if rsa else b'')).digest()
    amd = hashlib.sha256((bytes.fromhex('0000222200010001') if rsa else
                          bytes.fromhex('00004444')) + raw).digest()
    body = json.dumps({'pubhash': b64url(intel).replace('=', '%3D'),
                       'certificate': b64url(cert).replace('=', '%3D')})
    return {'/ekcertservice/' + b64url(intel): body.encode(),
            '/pki/aia/' + amd[:16].hex(): cert}


class Vendor(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    known = {}

    def do_GET(self):
        print(self.path, flush=True)
        body = self.known.get(urllib.parse.unquote(self.path))
        self.send_response(200 if body else 404)
        body = body or b'nothing here'
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


for name in glob.glob(os.path.join(sys.argv[2], '*.der')):
    with open(name, 'rb') as f:
        Vendor.known.update(answers(f.read()))
server = http.server.HTTPServer(('127.0.0.1', 0), Vendor)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(json.dumps({'event': 'listening', 'port': server.server_port},
                 separators=(',', ':')), flush=True)
server.serve_forever()
