#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crl_server.py FILE: serves FILE by http to whoever asks for anything; one
that begins with "stall" is its first byte, and then nothing more comes; without that file, zeros
without end. Prints {"event":"listening","port":N}.
"""
import http.server
import os
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'application/pkix-crl')
        self.end_headers()
        try:
            if os.path.exists(sys.argv[1]):
                with open(sys.argv[1], 'rb') as f:
                    data = f.read()
                if data.startswith(b'stall'):
                    self.wfile.write(data[:1])
                    self.wfile.flush()
                    threading.Event().wait()
                self.wfile.write(data)
                return
            while True:
                self.wfile.write(bytes(65536))
        except OSError:
            pass

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer.daemon_threads = True
SERVER = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print('{"event":"listening","port":%d}' % SERVER.server_address[1], flush=True)
SERVER.serve_forever()
