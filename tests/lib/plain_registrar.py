#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registrar and its MASA of nothing but Python and the openssl command, so
that two mistakes of ours cannot make up for each other.

plain_registrar.py DIRECTORY [host=ADDRESS] [form=cms|jws] [type=data|anima]
                   [behind=CERTIFICATE] [nonce=no] [revocation=yes]
                   [cert=NAME] [to=URL] [est=DOMAIN] [evidence=request]
                   [stall=OPERATION] [busy=STATUS]

DIRECTORY has registrar.pem (chain) and registrar.key, domain-ca.pem and
domain-ca.key, masa.pem and masa.key, idevid-anchors.pem. With "behind" it is
behind a TLS terminator with that certificate, and talks HTTP. As a cloud
registrar it has the certificate NAME.pem, and sends pledges on to a URL (307),
or by a voucher to an est-domain. It asks for evidence of the imprint, and does
not answer the first request for OPERATION. It answers the first
requests for a voucher and a certificate with STATUS and Retry-After: 1. Prints
{"event":"listening","port":N}; a line for each request says what was found.
"""
import base64
import datetime
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.parse

HERE = sys.argv[1]
OPT = dict(a.split('=', 1) for a in sys.argv[2:])
ANIMA = '1.2.840.113549.1.9.16.1.40'
MEDIA = {'cms': 'application/voucher-cms+json',
         'jws': 'application/voucher-jws+json'}
FORM = OPT.get('form', 'cms')
CONNECTIONS = 0
HAD_NO_TIME = {}


class Wrong(Exception):
    """The pledge did something that no plain tool understands."""


def path(name):
    return os.path.join(HERE, name)


def openssl(*args, data=None, fails=False):
    run = subprocess.run(['openssl', *args], input=data, capture_output=True,
                         cwd=HERE, check=False)
    if run.returncode and not fails:
        raise Wrong(f'openssl {args[0]}: {run.stderr.decode()[-400:]}')
    return run.stdout


def want(what, got, wanted):
    if got != wanted:
        raise Wrong(f'{what}: {got!r}, not {wanted!r}')


def der_of(pem):
    return openssl('x509', '-outform', 'DER', data=pem)


def text_of(pem, what):
    return openssl('x509', '-noout', f'-{what}', '-nameopt', 'RFC2253',
                   data=pem).decode().split('=', 1)[1].strip()


# --- JWS by openssl dgst ---------------------------------------------------

def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b'=').decode()


def from_b64url(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def der_integer(raw):
    raw = raw.lstrip(b'\0') or b'\0'
    raw = b'\0' + raw if raw[0] & 0x80 else raw
    return b'\x02' + bytes([len(raw)]) + raw


def signature_to_der(raw):
    half = len(raw) // 2
    body = der_integer(raw[:half]) + der_integer(raw[half:])
    return b'\x30' + bytes([len(body)]) + body


def signature_from_der(der, half):
    parts, at = [], 2
    for _ in range(2):
        n = der[at + 1]
        parts.append(der[at + 2:at + 2 + n].lstrip(b'\0').rjust(half, b'\0'))
        at += 2 + n
    return b''.join(parts)


def jws_verify(body, pem):
    jws = json.loads(body)
    want('members of a JWS', sorted(jws), ['payload', 'signatures'])
    want('signatures', len(jws['signatures']), 1)
    sig = jws['signatures'][0]
    head = json.loads(from_b64url(sig['protected']))
    want('alg', head['alg'], 'ES256')
    want('x5c', base64.b64decode(head['x5c'][0]), der_of(pem))
    raw = from_b64url(sig['signature'])
    want('length of a signature', len(raw), 64)
    with open(path('jws.sig'), 'wb') as f:
        f.write(signature_to_der(raw))
    with open(path('jws.pub'), 'wb') as f:
        f.write(openssl('x509', '-noout', '-pubkey', data=pem))
    openssl('dgst', '-sha256', '-verify', 'jws.pub', '-signature', 'jws.sig',
            data=f"{sig['protected']}.{jws['payload']}".encode())
    return from_b64url(jws['payload'])


def jws_sign(payload):
    with open(path('masa.pem'), 'rb') as f:
        leaf = der_of(f.read())
    head = b64url(json.dumps({
        'alg': 'ES256', 'typ': 'voucher-jws+json',
        'x5c': [base64.b64encode(leaf).decode()]}).encode())
    text = f'{head}.{b64url(payload)}'
    der = openssl('dgst', '-sha256', '-sign', 'masa.key', data=text.encode())
    return json.dumps({'payload': b64url(payload), 'signatures': [
        {'protected': head,
         'signature': b64url(signature_from_der(der, 32))}]}).encode()


# --- vouchers -----------------------------------------------------------------

def cms_verify(body, pem):
    with open(path('pvr.cms'), 'wb') as f:
        f.write(body)
    payload = openssl('cms', '-verify', '-inform', 'DER', '-in', 'pvr.cms',
                      '-binary', '-CAfile', 'idevid-anchors.pem', '-purpose',
                      'any', '-signer', 'pvr.signer')
    with open(path('pvr.signer'), 'rb') as f:
        want('signer of the request', der_of(f.read()), der_of(pem))
    said = openssl('cms', '-cmsout', '-print', '-inform', 'DER', '-in',
                   'pvr.cms').decode()
    kind = said.split('eContentType:')[1].split('\n')[0]
    want('eContentType', ANIMA in kind or 'id-ct-animaJSONVoucher' in kind,
         True)
    return payload


def cms_sign(payload):
    kind = [] if OPT.get('type') == 'data' else ['-econtent_type', ANIMA]
    return openssl('cms', '-sign', '-nodetach', '-binary', '-outform', 'DER',
                   '-signer', 'masa.pem', '-inkey', 'masa.key', *kind,
                   data=payload)


CERT = OPT.get('cert', 'registrar')


def own_certificate():
    with open(OPT.get('behind', path(CERT + '.pem')), 'rb') as f:
        return der_of(f.read())


def read_request(body, pem):
    verify = {'cms': cms_verify, 'jws': jws_verify}[FORM]
    outer = json.loads(verify(body, pem))
    want('root', list(outer), ['ietf-voucher-request:voucher'])
    pvr = outer['ietf-voucher-request:voucher']
    want('assertion', pvr['assertion'], 'proximity')
    want('serial-number',
         f"serialNumber={pvr['serial-number']}" in text_of(pem, 'subject'),
         True)
    want('proximity-registrar-cert',
         base64.b64decode(pvr['proximity-registrar-cert']), own_certificate())
    nonce = base64.b64decode(pvr['nonce'])
    want('a nonce of 8 to 32 bytes', 8 <= len(nonce) <= 32, True)
    want('created-on is there', 'created-on' in pvr, True)
    return pvr


def make_voucher(pvr):
    now = datetime.datetime.now(datetime.timezone.utc)
    with open(path('domain-ca.pem'), 'rb') as f:
        pin = base64.b64encode(der_of(f.read())).decode()
    voucher = {'created-on': now.strftime('%Y-%m-%dT%H:%M:%SZ'),
               'assertion': 'logged', 'serial-number': pvr['serial-number'],
               'nonce': pvr['nonce'], 'pinned-domain-cert': pin,
               'domain-cert-revocation-checks':
               OPT.get('revocation') == 'yes'}
    if OPT.get('nonce') == 'no':
        del voucher['nonce']
        later = now + datetime.timedelta(hours=1)
        voucher['expires-on'] = later.strftime('%Y-%m-%dT%H:%M:%SZ')
    if 'est' in OPT:
        voucher['est-domain'] = OPT['est']
        voucher['additional-configuration-url'] = 'https://plain.example/more'
    text = json.dumps({'ietf-voucher:voucher': voucher}).encode()
    return {'cms': cms_sign, 'jws': jws_sign}[FORM](text)


def requestvoucher(call):
    want('media type', call.head['content-type'], MEDIA[FORM])
    want('Accept', MEDIA[FORM] in call.head['accept'], True)
    with open(path('request'), 'wb') as f:
        f.write(call.body)
    pvr = read_request(call.body, call.client)
    call.found(serial=pvr['serial-number'], nonce=pvr['nonce'])
    if 'to' in OPT:
        return 307, '', b''
    return 200, MEDIA[FORM], make_voucher(pvr)


# --- enrollment -----------------------------------------------------------------

def lines(raw):
    return base64.encodebytes(raw)


def bag(*files):
    args = [a for f in files for a in ('-certfile', f)]
    return lines(openssl('crl2pkcs7', '-nocrl', '-outform', 'DER', *args))


def cacerts(_):
    return 200, 'application/pkcs7-mime', bag('domain-ca.pem')


def csrattrs(_):
    return 204, '', b''


def simpleenroll(call):
    want('media type', call.head['content-type'], 'application/pkcs10')
    with open(path('csr.der'), 'wb') as f:
        f.write(base64.b64decode(call.body))
    openssl('req', '-inform', 'DER', '-in', 'csr.der', '-verify', '-noout')
    with open(path('leaf.ext'), 'w', encoding='ascii') as f:
        f.write('basicConstraints=critical,CA:FALSE\n'
                'keyUsage=critical,digitalSignature\n'
                'extendedKeyUsage=clientAuth\n'
                'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n')
    openssl('x509', '-req', '-inform', 'DER', '-in', 'csr.der', '-days', '30',
            '-CA', 'domain-ca.pem', '-CAkey', 'domain-ca.key',
            '-CAcreateserial', '-extfile', 'leaf.ext', '-out', 'ldevid.pem')
    return 200, 'application/pkcs7-mime; smime-type=certs-only', \
        bag('ldevid.pem')


def status(call):
    said = json.loads(call.body)
    want('version', said['version'], 1)
    call.found(status=said['status'], reason=said.get('reason', ''),
               members=sorted(said))
    return 200, '', b''


def voucher_status(call):
    answer = status(call)
    if OPT.get('evidence') != 'request':
        return answer
    return 200, 'application/json', b'{"evidence":"requested"}'


def enrollstatus(call):
    with open(path('ldevid.pem'), 'rb') as f:
        want('who reports', der_of(call.client), der_of(f.read()))
    context = json.loads(call.body).get('reason-context', {})
    with open(path('evidence.der'), 'wb') as f:
        f.write(base64.b64decode(context.get('imprint-evidence', '')))
    return status(call)


def no_time(_):
    return int(OPT['busy']), 'text/plain', b'too much to do\n'


ROUTES = {
    'POST /.well-known/brski/requestvoucher': requestvoucher,
    'POST /.well-known/brski/voucher_status': voucher_status,
    'GET /.well-known/est/cacerts': cacerts,
    'GET /.well-known/est/csrattrs': csrattrs,
    'POST /.well-known/est/simpleenroll': simpleenroll,
    'POST /.well-known/brski/enrollstatus': enrollstatus,
}


# --- HTTP -----------------------------------------------------------------------

class Call:
    """One request."""

    def __init__(self, stream, client):
        self.line = stream.readline().decode('ascii').strip()
        self.head, self.body, self.client, self.said = {}, b'', client, {}
        for line in iter(stream.readline, b'\r\n'):
            if not line:
                break
            name, value = line.decode('ascii').split(':', 1)
            self.head[name.lower()] = value.strip()
        if OPT.get('behind'):
            self.client = urllib.parse.unquote(
                self.head.get('x-client-cert', '')).encode()
        if self.head.get('transfer-encoding') == 'chunked':
            while n := int(stream.readline(), 16):
                self.body += stream.read(n)
                stream.readline()
            stream.readline()
        else:
            self.body = stream.read(int(self.head.get('content-length', 0)))

    def found(self, **what):
        self.said.update(what)

    def again(self, route, body):
        self.found(same=self.body == body)
        return route

    def answer(self):
        verb, where = (self.line.split(' ') + ['', ''])[:2]
        route = ROUTES.get(f'{verb} {where}')
        if 'busy' in OPT and route in (requestvoucher, simpleenroll):
            route = no_time if where not in HAD_NO_TIME else \
                self.again(route, HAD_NO_TIME[where])
            HAD_NO_TIME[where] = self.body
        try:
            code, media, body = route(self) if route else (404, '', b'')
        except (Wrong, KeyError, ValueError) as why:
            code, media, body = 400, 'text/plain', f'{why!r}\n'.encode()
            self.found(wrong=str(why))
        say(event='request', what=where.rsplit('/', 1)[-1], code=code,
            connection=CONNECTIONS,
            client=hashlib.sha256(self.client).hexdigest()[:8], **self.said)
        kind = f'Content-Type: {media}\r\n' if media else ''
        if media.startswith('application/pkcs7'):
            kind += 'Content-Transfer-Encoding: base64\r\n'
        if code == int(OPT.get('busy', 0)):
            kind += 'Retry-After: 1\r\n'
        if code == 307:
            kind += f"Location: {OPT['to']}\r\n"
        return (f'HTTP/1.1 {code} Here\r\n{kind}'
                f'Content-Length: {len(body)}\r\n\r\n').encode() + body


def say(**what):
    print(json.dumps(what, separators=(',', ':')), flush=True)


def serve(connection):
    client = b''
    if not OPT.get('behind'):
        client = ssl.DER_cert_to_PEM_cert(
            connection.getpeercert(True)).encode()
    stream = connection.makefile('rb')
    while True:
        call = Call(stream, client)
        if not call.line:
            return
        if OPT.get('stall') and call.line.split(' ')[1].endswith(OPT['stall']):
            say(event='stalls', what=OPT.pop('stall'))
            stream.read(1)
            return
        connection.sendall(call.answer())


def context():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path(CERT + '.pem'), path(CERT + '.key'))
    tls.load_verify_locations(path('idevid-anchors.pem'))
    tls.load_verify_locations(path('domain-ca.pem'))
    tls.verify_mode = ssl.CERT_REQUIRED
    return tls


def main():
    global CONNECTIONS
    host = OPT.get('host', '127.0.0.1')
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    tls = None if OPT.get('behind') else context()
    say(event='listening', port=listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        CONNECTIONS += 1
        try:
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
            serve(connection)
        except OSError as why:
            say(event='lost', why=str(why))
        connection.close()


main()
