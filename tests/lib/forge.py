# SPDX-License-Identifier: Apache-2.0
"""usage: forge.py GOOD OTHER TICKET KEY CERT OUT

A thief has a station's key: KEY and CERT. GOOD and OTHER are requests of two
devices that he listened to or made, TICKET that of another order. Writes into
OUT what he could send, as NAME.WHY.cms, where WHY is what the desk has to call
it. He signs with the station's key, and knows every format; what he has not is
a TPM's private key, so that where the proof has to be by one he takes one of
his own."""
import base64
import hashlib
import json
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tcgread import (Csr, ECC, ECDSA, ENDORSEMENT, FIELDS, NULL, Public,
                     csr_contents, csr_whole, devid_policy, der_next,
                     qualified, sized)


def openssl(*argv, data=None):
    return subprocess.run(('openssl',) + argv, input=data, check=True,
                          capture_output=True).stdout


class Thief:
    def __init__(self, key, cert, out):
        self.key, self.cert, self.out = key, cert, out
        self.station = openssl('x509', '-noout', '-subject', '-nameopt',
                               'multiline', '-in', cert).decode()
        self.station = self.station.split('commonName')[1].split('=')[1].strip()

    def seal(self, payload):
        return openssl('cms', '-sign', '-binary', '-nodetach', '-nosmimecap',
                       '-md', 'sha256', '-outform', 'DER', '-signer',
                       self.cert, '-inkey', self.key, data=payload)

    def send(self, name, why, request):
        request = dict(request)
        request.setdefault('station', self.station)
        raw = self.seal(json.dumps(request).encode())
        with open(os.path.join(self.out, '%s.%s.cms' % (name, why)), 'wb') as f:
            f.write(raw)


def opened(path, station):
    """What is in a request, as it would be signed by that station."""
    raw = openssl('cms', '-verify', '-noverify', '-inform', 'DER', '-binary',
                  '-in', path)
    return dict(json.loads(raw), station=station)


def b64(raw):
    return base64.b64encode(raw).decode()


def nonce_of(r):
    return hashlib.sha256(b'idevid-factory-1\0' +
                          base64.b64decode(r['challenge']) +
                          r['order'].encode() + b'\0' +
                          r['serial-number'].encode()).digest()


# --- a key of his own that says it is a TPM's


class Key:
    def __init__(self, base, attributes, policy=None, name_alg=0x000B):
        self.pem = openssl('ecparam', '-name', 'prime256v1', '-genkey',
                           '-noout')
        point = openssl('ec', '-pubout', '-outform', 'DER',
                        data=self.pem)[-64:]
        policy = devid_policy(name_alg, base) if policy is None else policy
        self.public = Public(
            struct.pack('>HHI', ECC, name_alg, attributes) + sized(policy) +
            struct.pack('>HHH', NULL, ECDSA, name_alg) +
            struct.pack('>HH', 3, NULL) + sized(point[:32]) +
            sized(point[32:]))

    def sign(self, data):
        path = os.path.join(work, 'key.pem')
        with open(path, 'wb') as f:
            f.write(self.pem)
        return openssl('dgst', '-sha256', '-sign', path, data=data)

    def sign_tpmt(self, data):
        _, body, _ = der_next(self.sign(data))
        _, r, body = der_next(body)
        _, s, _ = der_next(body)
        return struct.pack('>HH', ECDSA, 0x000B) + b''.join(
            sized(v.lstrip(b'\0').rjust(32, b'\0')) for v in (r, s))


def certify(iak, name, nonce, magic=0xFF544347):
    """What a TPM would sign with its IAK of a key of that name."""
    return struct.pack('>IH', magic, 0x8017) + \
        sized(qualified(ENDORSEMENT, iak.name(), 'sha256')) + sized(nonce) + \
        struct.pack('>QIIB', 1000, 1, 0, 1) + bytes(8) + sized(name) + \
        sized(qualified(ENDORSEMENT, name, 'sha256'))


def own_csr(r, idevid, iak=None, **parts):
    """A whole request by keys of his own; parts replace what is in it."""
    old = Csr(base64.b64decode(r['tcg-csr']))
    nonce = nonce_of(r)
    all_parts = {'serial': r['serial-number'].encode(), 'ca_data': nonce,
                 'ek_cert': old.ek_cert, 'signing_pub': idevid.public.raw,
                 'attest_pub': old.attest_pub, 'sgn_info': old.sgn_info,
                 'sgn_signature': old.sgn_signature}
    if iak:
        info = parts.pop('info', None) or certify(
            iak.public, idevid.public.name(), nonce)
        all_parts.update(attest_pub=iak.public.raw, sgn_info=info,
                         sgn_signature=iak.sign_tpmt(info))
    all_parts.update(parts)
    contents = csr_contents(all_parts)
    return dict(r, **{'tcg-csr': b64(csr_whole(contents,
                                               idevid.sign(contents)))})


IDEVID, IAK = (0x01C90010, 0x000400F2), (0x01C90018, 0x000500F2)


def forged_keys(thief, r):
    """Keys and proofs that are not what they say."""
    good, iak = Key(*IDEVID), Key(*IAK)
    for name, key in (
            ('fixedtpm', Key(IDEVID[0], IDEVID[1] & ~0x2)),
            ('fixedparent', Key(IDEVID[0], IDEVID[1] & ~0x10)),
            ('imported', Key(IDEVID[0], IDEVID[1] & ~0x20)),
            ('decrypts', Key(IDEVID[0], IDEVID[1] | 0x20000)),
            ('restricted', Key(IDEVID[0], IDEVID[1] | 0x10000)),
            ('policy', Key(*IDEVID, policy=devid_policy(11, IAK[0]))),
            ('nopolicy', Key(*IDEVID, policy=b''))):
        thief.send('idevid-' + name, 'template', own_csr(r, key, iak))
    for name, key in (
            ('fixedtpm', Key(IAK[0], IAK[1] & ~0x2)),
            ('unrestricted', Key(IAK[0], IAK[1] & ~0x10000)),
            ('policy', Key(*IAK, policy=b''))):
        thief.send('iak-' + name, 'template', own_csr(r, good, key))
    nonce, name = nonce_of(r), good.public.name()
    thief.send('attest-other-key', 'attest', own_csr(
        r, good, iak, info=certify(iak.public, iak.public.name(), nonce)))
    thief.send('attest-other-nonce', 'nonce', own_csr(
        r, good, iak, info=certify(iak.public, name, bytes(32))))
    thief.send('attest-no-tpm', 'attest', own_csr(
        r, good, iak, info=certify(iak.public, name, nonce, 0x12345678)))
    thief.send('attest-other-signer', 'attest', own_csr(
        r, good, iak, sgn_signature=Key(*IAK).sign_tpmt(
            certify(iak.public, name, nonce))))
    # a real IAK, and what it signed for another key and this very nonce
    thief.send('attest-replayed', 'attest', own_csr(r, good))
    thief.send('nonce-of-csr', 'nonce', own_csr(r, good, iak,
                                                ca_data=bytes(32)))
    thief.send('serial-of-csr', 'request', own_csr(r, good, iak,
                                                   serial=b'TPM-9999'))
    thief.send('ek-cert-of-another', 'ek-key', own_csr(
        r, good, iak,
        ek_cert=Csr(base64.b64decode(other['tcg-csr'])).ek_cert))
    thief.send('ek-cert-none', 'ek-missing', own_csr(r, good, iak, ek_cert=b''))
    thief.send('ek-cert-self-signed', 'ek-chain', own_csr(
        r, good, iak, ek_cert=openssl('x509', '-in', thief.cert, '-outform',
                                      'DER')))


def altered(thief, r):
    """Each region of the TCG-CSR-IDEVID, with and without its inner hash."""
    raw = base64.b64decode(r['tcg-csr'])
    csr = Csr(raw)

    def flip(name, why, at, text=raw):
        text = bytearray(text)
        text[at] ^= 1
        thief.send('csr-' + name, why, dict(r, **{'tcg-csr': b64(text)}))
    for name, at in (('version', 3), ('contents-size', 7), ('signature-size',
                     11), ('inner-version', 12), ('hash-alg', 19),
                     ('hash-size', 23), ('hash', 24), ('first-size', 59),
                     ('last-size', 107)):
        flip(name, 'request', at)
    flip('signature', 'signature', len(raw) - 5)
    parts = {f: getattr(csr, f) for f in FIELDS}
    for f in FIELDS:
        if not parts[f]:
            continue
        at, size = csr.where[f]
        flip(f.replace('_', '-'), 'request', at + size // 2)
        spoilt = bytearray(parts[f])
        spoilt[size - 1] ^= 1
        again = csr_whole(csr_contents(dict(parts, **{f: bytes(spoilt)})),
                          csr.signature_value())
        # of a public area the signature is by another key, or by none
        why = 'signature'
        if f == 'signing_pub':
            why = 'signature,template'
        thief.send('csr-hashed-' + f.replace('_', '-'), why,
                   dict(r, **{'tcg-csr': b64(again)}))
    thief.send('csr-cut', 'request', dict(r, **{'tcg-csr': b64(raw[:-1])}))
    thief.send('csr-longer', 'request', dict(r, **{'tcg-csr': b64(raw + b'\0')}))
    thief.send('csr-none', 'request',
               {k: v for k, v in r.items() if k != 'tcg-csr'})
    thief.send('csr-41k', 'request', dict(r, **{'tcg-csr': b64(bytes(41984))}))
    thief.send('csr-16m', 'request', dict(r, **{'tcg-csr': b64(bytes(1 << 24))}))


def replayed(thief, r, ticket):
    thief.send('other-order', 'order', dict(r, order=ticket['order']))
    thief.send('other-order-its-challenge', 'order', dict(
        r, order=ticket['order'], challenge=ticket['challenge']))
    thief.send('no-order', 'order', dict(r, order='batch-0'))
    thief.send('other-serial', 'request', dict(
        r, **{'serial-number': other['serial-number']}))
    thief.send('no-serial', 'order', dict(r, **{'serial-number': 'TPM-9999'}))
    thief.send('other-challenge', 'nonce', dict(
        r, challenge=other['challenge']))
    thief.send('no-challenge', 'challenge', dict(r, challenge=b64(b'\1' * 32)))
    thief.send('ek-of-another', 'ek-key', dict(
        r, **{'ek-public': other['ek-public']}))
    thief.send('as-plain', 'request', dict(r, profile='plain'))
    thief.send('as-lean', 'attest', dict(r, profile='lean'))
    thief.send('as-direct', 'request', dict(r, profile='direct'))
    thief.send('as-station-1', 'station', dict(r, station='station-1'))


if __name__ == '__main__':
    good_path, other_path, ticket_path, key_path, cert_path, work = sys.argv[1:]
    someone = Thief(key_path, cert_path, work)
    good_request = opened(good_path, someone.station)
    other = opened(other_path, someone.station)
    with open(ticket_path, encoding='utf-8') as ticket_file:
        altered(someone, good_request)
        replayed(someone, good_request, json.load(ticket_file))
    forged_keys(someone, good_request)
    # all in order but for one thing: nobody can open the answer
    own = own_csr(good_request, Key(*IDEVID), Key(*IAK))
    someone.send('own-keys', 'answered', own)
    os.remove(os.path.join(work, 'key.pem'))
