# SPDX-License-Identifier: Apache-2.0
"""TPM structures and TCG-CSR-IDEVID, read and written from their
specifications with the standard library alone. For the verifier of a line's
records (residency.py) and for those who attack it (forge.py); shares nothing
with what it judges."""
import hashlib
import struct

ENDORSEMENT = 0x4000000B
HASHES = {0x000B: 'sha256', 0x000C: 'sha384', 0x000D: 'sha512'}
RSA, ECC, NULL = 0x0001, 0x0023, 0x0010
ECDSA, RSASSA = 0x0018, 0x0014
FIELDS = ('model', 'serial', 'ca_data', 'event_log', 'ek_cert', 'attest_pub',
          'create_ticket', 'at_info', 'at_signature', 'signing_pub',
          'sgn_info', 'sgn_signature')


class Bad(Exception):
    """What is wrong, for people."""


def need(condition, text):
    if not condition:
        raise Bad(text)


class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, n):
        need(self.at + n <= len(self.raw), 'cut off')
        self.at += n
        return self.raw[self.at - n:self.at]

    def u16(self):
        return struct.unpack('>H', self.take(2))[0]

    def u32(self):
        return struct.unpack('>I', self.take(4))[0]

    def sized(self):
        return self.take(self.u16())

    def end(self):
        need(self.at == len(self.raw), 'bytes behind it')


def sized(raw):
    return struct.pack('>H', len(raw)) + raw


# --- DER, as much as is needed


def der(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    if n < 128:
        return bytes([tag, n]) + body
    size = n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag, 128 | len(size)]) + size + body


def der_integer(v):
    return der(2, v.to_bytes(v.bit_length() // 8 + 1, 'big'))


def der_next(raw):
    """(tag, contents, rest)"""
    need(len(raw) >= 2, 'DER: cut off')
    n, at = raw[1], 2
    if n & 128:
        at += n & 127
        n = int.from_bytes(raw[2:at], 'big')
    need(at + n <= len(raw), 'DER: cut off')
    return raw[0], raw[at:at + n], raw[at + n:]


def der_oid(text):
    first, second, *rest = map(int, text.split('.'))
    out = b''
    for v in [40 * first + second] + rest:
        some = bytes([v & 127])
        while v > 127:
            v >>= 7
            some = bytes([128 | v & 127]) + some
        out += some
    return der(6, out)


# --- public areas


class Public:
    """TPMT_PUBLIC."""

    def __init__(self, raw):
        r = Reader(raw)
        self.raw = raw
        self.type, self.name_alg, self.attributes = r.u16(), r.u16(), r.u32()
        self.policy = r.sized()
        self.scheme = self.scheme_hash = self.symmetric = NULL
        need(self.name_alg in HASHES, 'public area: nameAlg')
        self.symmetric = r.u16()
        if self.symmetric != NULL:
            r.take(4)  # bits, mode
        self.scheme = r.u16()
        if self.scheme != NULL:
            self.scheme_hash = r.u16()
        if self.type == RSA:
            self.bits, self.exponent = r.u16(), r.u32() or 65537
            self.modulus = r.sized()
        else:
            need(self.type == ECC, 'public area: type')
            self.curve = r.u16()
            need(r.u16() == NULL, 'public area: kdf')
            self.x, self.y = r.sized(), r.sized()
        r.end()

    @property
    def hash(self):
        return HASHES[self.name_alg]

    def name(self):
        return struct.pack('>H', self.name_alg) + \
            hashlib.new(self.hash, self.raw).digest()

    def kind(self):
        if self.type == RSA:
            return 'RSA-%d' % self.bits
        return {3: 'P-256', 4: 'P-384', 5: 'P-521'}[self.curve]

    def spki(self):
        """SubjectPublicKeyInfo, DER."""
        if self.type == RSA:
            key = der(0x30, der_integer(int.from_bytes(self.modulus, 'big')),
                      der_integer(self.exponent))
            alg = der(0x30, der_oid('1.2.840.113549.1.1.1'), der(5))
        else:
            curve = {3: '1.2.840.10045.3.1.7', 4: '1.3.132.0.34',
                     5: '1.3.132.0.35'}[self.curve]
            n = {3: 32, 4: 48, 5: 66}[self.curve]
            key = b'\4' + self.x.rjust(n, b'\0') + self.y.rjust(n, b'\0')
            alg = der(0x30, der_oid('1.2.840.10045.2.1'), der_oid(curve))
        return der(0x30, alg, der(3, b'\0' + key))


def ecdsa_der(r, s):
    return der(0x30, der_integer(int.from_bytes(r, 'big')),
               der_integer(int.from_bytes(s, 'big')))


def tpmt_signature(raw):
    """(hash name, signature as OpenSSL has it)"""
    r = Reader(raw)
    scheme, alg = r.u16(), r.u16()
    need(alg in HASHES, 'signature: hash')
    if scheme == RSASSA:
        value = r.sized()
    else:
        need(scheme == ECDSA, 'signature: scheme')
        value = ecdsa_der(r.sized(), r.sized())
    r.end()
    return HASHES[alg], value


# --- attestations


class Attest:
    """TPMS_ATTEST of a key: certified, or certified as it was created."""

    def __init__(self, raw):
        r = Reader(raw)
        need(r.u32() == 0xFF544347, 'attestation: not made by a TPM')
        self.type = r.u16()
        self.signer = r.sized()
        self.extra = r.sized()
        r.take(17)  # clock
        r.take(8)  # firmware
        need(self.type in (0x8017, 0x801A), 'attestation: of no key')
        self.name = r.sized()
        self.other = r.sized()  # qualified name, or hash of creation data
        r.end()


def qualified(hierarchy, name, alg):
    return name[:2] + hashlib.new(alg, struct.pack('>I', hierarchy) +
                                  name).digest()


# --- policies of TCG's templates, computed


def policy_secret(alg, handle):
    zero = bytes(hashlib.new(alg).digest_size)
    once = hashlib.new(alg, zero + struct.pack('>II', 0x151, handle)).digest()
    return hashlib.new(alg, once).digest()  # and an empty reference


def devid_policy(name_alg, base):
    """base: the NV index that a SHA-256 template names, 0x01C90010 or 18."""
    alg = HASHES[name_alg]
    zero = bytes(hashlib.new(alg).digest_size)

    def h(*parts):
        return hashlib.new(alg, b''.join(parts)).digest()
    admin = policy_secret(alg, ENDORSEMENT)
    index = struct.pack('>IHI', base + name_alg - 0x000B, name_alg,
                        0x220F1008) + sized(admin) + \
        struct.pack('>H', 2 + len(zero))
    name = struct.pack('>H', name_alg) + h(index)
    return h(zero, struct.pack('>I', 0x171), admin,
             h(admin, struct.pack('>II', 0x16C, 0x148)),
             h(admin, struct.pack('>II', 0x16C, 0x147)),
             h(zero, struct.pack('>I', 0x192), name))


def check_template(p, what, base, attributes):
    need(p.attributes == attributes,
         '%s: attributes %08x, not %08x' % (what, p.attributes, attributes))
    need(p.policy == devid_policy(p.name_alg, base), what + ': other policy')
    need(p.name_alg == {'P-256': 11, 'P-384': 12, 'P-521': 13,
                        'RSA-2048': 11}.get(p.kind()), what + ': nameAlg')
    need(p.symmetric == NULL, what + ': symmetric')
    if p.type == ECC:
        need(p.scheme == ECDSA and p.scheme_hash == p.name_alg,
             what + ': scheme')
    elif what == 'IAK':
        need(p.scheme == RSASSA, what + ': scheme')


# --- TCG-CSR-IDEVID


class Csr:
    def __init__(self, raw):
        r = Reader(raw)
        need(r.u32() == 0x01000100, 'CSR: structVer')
        n, sig = r.u32(), r.u32()
        self.contents = r.take(n)
        self.signature = r.take(sig)
        r.end()
        r = Reader(self.contents)
        need(r.u32() == 0x00000100, 'CSR: structVer of the contents')
        self.hash = r.u32()
        need(self.hash in HASHES, 'CSR: hashAlgoId')
        digest = r.take(r.u32())
        need(hashlib.new(HASHES[self.hash], self.contents[r.at:]).digest() ==
             digest, 'CSR: hash of what follows')
        self.where = {}  # field: (offset in raw, size)
        sizes = [r.u32() for _ in range(13)]
        for name, size in zip(FIELDS + ('pad',), sizes):
            self.where[name] = (12 + r.at, size)
            setattr(self, name, r.take(size))
        r.end()

    def signature_value(self):
        """BIT STRING of SEQUENCE { AlgorithmIdentifier, BIT STRING }"""
        _, body, rest = der_next(self.signature)
        need(not rest, 'CSR: signature')
        _, _, body = der_next(body)
        _, bits, _ = der_next(body)
        return bits[1:]


def csr_contents(parts, alg=0x000B):
    """parts: {field: bytes}; what is to be signed."""
    values = [parts.get(f, b'') for f in FIELDS]
    digest_size = hashlib.new(HASHES[alg]).digest_size
    n = 12 + digest_size + 52 + sum(map(len, values))
    pad = bytes(-n % 16)
    tail = b''.join(struct.pack('>I', len(v)) for v in values + [pad]) + \
        b''.join(values) + pad
    return struct.pack('>III', 0x100, alg, digest_size) + \
        hashlib.new(HASHES[alg], tail).digest() + tail


def csr_whole(contents, signature, algorithm='1.2.840.10045.4.3.2'):
    s = der(0x30, der(0x30, der_oid(algorithm)), der(3, b'\0' + signature))
    return struct.pack('>III', 0x01000100, len(contents), len(s)) + \
        contents + s
