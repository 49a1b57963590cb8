# SPDX-License-Identifier: Apache-2.0
"""Another maker's JWS (jwcrypto): signs and verifies what idevid-voucher does.

  jws_peer.py sign ALG KEY.pem CERTS.pem PAYLOAD   general serialization
  jws_peer.py verify FILE                          by x5c[0]; prints the payload
  jws_peer.py parts FILE DIR                       certificate, input, signature
"""
import base64
import json
import re
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from jwcrypto import jwk, jws


def unbase64url(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def head_of(text):
    outer = json.loads(text)
    (one,) = outer['signatures']
    return outer, one, json.loads(unbase64url(one['protected']))


def sign(alg, key_file, certs_file, payload_file):
    with open(certs_file) as f:
        pem = re.findall('-----BEGIN CERTIFICATE-----(.*?)-----END', f.read(),
                         re.S)
    with open(key_file, 'rb') as f:
        key = jwk.JWK.from_pem(f.read())
    with open(payload_file, 'rb') as f:
        token = jws.JWS(f.read())
    head = {'typ': 'voucher-jws+json', 'alg': alg,
            'x5c': [''.join(p.split()) for p in pem]}
    token.add_signature(key, None, json.dumps(head), None)
    flat = json.loads(token.serialize())
    json.dump({'payload': flat['payload'],
               'signatures': [{'protected': flat['protected'],
                               'signature': flat['signature']}]}, sys.stdout)


def verify(file):
    with open(file) as f:
        text = f.read()
    head = head_of(text)[2]
    cert = x509.load_der_x509_certificate(base64.b64decode(head['x5c'][0]))
    key = jwk.JWK.from_pem(cert.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo))
    token = jws.JWS()
    token.deserialize(text, key)
    sys.stdout.write(token.payload.decode())


def parts(file, directory):
    with open(file) as f:
        outer, one, head = head_of(f.read())
    for name, data in (
            ('cert.der', base64.b64decode(head['x5c'][0])),
            ('input', (one['protected'] + '.' + outer['payload']).encode()),
            ('signature', unbase64url(one['signature']))):
        with open(f'{directory}/{name}', 'wb') as f:
            f.write(data)


if __name__ == '__main__':
    {'sign': sign, 'verify': verify, 'parts': parts}[sys.argv[1]](*sys.argv[2:])
