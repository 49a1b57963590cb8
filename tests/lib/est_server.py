#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An EST server (RFC 7030) out of Python's own library and openssl(1).

est_server.py DIRECTORY: answers POST .../LABEL/simpleenroll with what the
files in DIRECTORY say, for a client that shows a certificate of
client-anchors.pem:

  server.pem       its key and certificate
  ca.cnf           who issues, for openssl ca
  mode             a word: issue, later (202), refuse (403), busy (503), other
                   (for the key of other.csr)
  subject          instead of the request's, where it is there

It takes bodies whose length is said, and none in chunks, as plain ones do.
Prints a JSON line when it listens; every path asked for goes to asked.
"""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys

where = sys.argv[1]


def path(name):
    return os.path.join(where, name)


def text(name):
    try:
        with open(path(name), encoding='ascii') as f:
            return f.read().strip()
    except FileNotFoundError:
        return ''


def openssl(*argv, data=None):
    return subprocess.run(('openssl',) + argv, input=data, check=True,
                          stdout=subprocess.PIPE).stdout


def certify(csr):
    with open(path('csr.pem'), 'wb') as f:
        f.write(openssl('req', '-inform', 'DER', '-verify', data=csr))
    asked = path('other.csr') if text('mode') == 'other' else path('csr.pem')
    subject = text('subject')
    openssl('ca', '-batch', '-config', path('ca.cnf'), '-in', asked, '-out',
            path('made.pem'), *(('-subj', subject) if subject else ()))
    return openssl('crl2pkcs7', '-nocrl', '-certfile', path('made.pem'),
                   '-outform', 'DER')


class Est(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def answer(self, status, body=b'', headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        if self.headers['Content-Length'] is None:  # and nothing in chunks
            self.close_connection = True
            return self.answer(400)
        body = self.rfile.read(int(self.headers['Content-Length']))
        with open(path('asked'), 'a', encoding='ascii') as f:
            f.write(self.path + '\n')
        if not self.path.endswith('/line/simpleenroll'):
            return self.answer(404)
        mode = text('mode')
        if mode == 'later':
            return self.answer(202, headers=[('Retry-After', '1')])
        if mode in ('busy', 'refuse'):
            return self.answer(503 if mode == 'busy' else 403)
        der = certify(base64.b64decode(body))
        return self.answer(200, base64.encodebytes(der), [
            ('Content-Type', 'application/pkcs7-mime; smime-type=certs-only'),
            ('Content-Transfer-Encoding', 'base64')])

    def log_message(self, *args):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(path('server.pem'))
context.load_verify_locations(path('client-anchors.pem'))
context.verify_mode = ssl.CERT_REQUIRED
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Est)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(json.dumps({'event': 'listening', 'port': server.server_address[1]},
                 separators=(',', ':')),
      flush=True)
server.serve_forever()
