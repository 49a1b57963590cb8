# SPDX-License-Identifier: Apache-2.0
"""usage: residency.py ATTESTATIONS --vendor-root PEM --vendor-issuer PEM
                       --anchors PEM --issuing PEM

Reads what `idevid-factory export --attestation` wrote and shows of each device
that the key in its IDevID certificate is in the TPM with that endorsement key.
Of the line's software nothing is used: the standard library, openssl, and
tpm2_print as a second opinion of what TPMs wrote.

  1. The EK certificate chains to the vendor; the EK public area is of that
     key, and is a decryption key that no TPM lets out (fixedTPM, restricted).
  2. The request (TCG-CSR-IDEVID) is signed with the IDevID key, holds the
     nonce recomputed from challenge, order and serial number, and its public
     area is of the certificate's key and of TCG's template: fixedTPM,
     fixedParent, sensitiveDataOrigin, and the policy computed here.
  3. tcg, lean: the IAK's public area is of TCG's template, restricted: it signs
     only what its TPM itself says. What it signed is this nonce and the Name
     recomputed from the IDevID's public area; a certification also names the
     endorsement hierarchy as its parent.
  4. Activation ties the two: the desk sent both certificates under a secret
     that TPM2_ActivateCredential gives out in one case, when the TPM has the
     EK's private key and an object with the Name the credential is for, the
     IAK's; direct: the IDevID's own. That Name covers attributes and key, so an
     object that has it is that key under these attributes. A device that is
     installed had its certificates, and there was no other way to them.

One line for each device: "SERIAL proved PROFILE TYPE by WHAT", "SERIAL unproved
PROFILE" for profiles that prove nothing, "SERIAL REFUSED WHY". Exit status 1
when one is refused."""
import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tcgread import (Attest, Bad, Csr, ENDORSEMENT, Public, check_template,
                     need, policy_secret, qualified, tpmt_signature)

work = tempfile.TemporaryDirectory()


def path(name, data=None):
    p = os.path.join(work.name, name)
    if data is not None:
        with open(p, 'wb') as f:
            f.write(data)
    return p


def run(*argv, what):
    p = subprocess.run(argv, capture_output=True, check=False)
    need(p.returncode == 0, '%s: %s' % (
        what, (p.stderr or p.stdout).decode(errors='replace').strip()
        .splitlines()[-1:] or p.returncode))
    return p.stdout


def cert_spki(der):
    pem = run('openssl', 'x509', '-inform', 'DER', '-noout', '-pubkey', '-in',
              path('cert', der), what='certificate')
    return run('openssl', 'pkey', '-pubin', '-outform', 'DER', '-in',
               path('pub', pem), what='public key')


def subject_serial(der):
    text = run('openssl', 'x509', '-inform', 'DER', '-noout', '-subject',
               '-nameopt', 'multiline,-esc_msb,utf8', '-in', path('cert', der),
               what='certificate').decode()
    return [line.split('=', 1)[1].strip() for line in text.splitlines()
            if line.strip().startswith('serialNumber')]


def chains(der, roots, issuers, what, *options):
    pem = run('openssl', 'x509', '-inform', 'DER', '-in', path('cert', der),
              what=what)
    run('openssl', 'verify', *options, '-CAfile', roots, '-untrusted', issuers,
        path('cert.pem', pem), what=what)


def signed(spki, alg, signature, data, what):
    run('openssl', 'dgst', '-' + alg, '-keyform', 'DER', '-verify',
        path('spki', spki), '-signature', path('sig', signature),
        path('data', data), what=what)


def nonce_of(d):
    h = hashlib.sha256(b'idevid-factory-1\0')
    h.update(bytes.fromhex(d['challenge']))
    h.update(d['order'].encode() + b'\0')
    h.update(d['serial-number'].encode())
    return h.digest()


def check_ek(d, csr, o):
    cert = csr.ek_cert or binary(d, 'ek-certificate')
    need(cert, 'no EK certificate')
    # its subject is in a critical extension that openssl does not know
    chains(cert, o.vendor_root, o.vendor_issuer, 'EK certificate',
           '-ignore_critical', '-partial_chain')
    ek = Public(binary(d, 'ek-public'))
    need(cert_spki(cert) == ek.spki(), 'EK certificate is for another key')
    need(hashlib.sha256(ek.spki()).hexdigest() == d['ek-sha256'],
         'another EK is on record')
    need(ek.attributes & 0x00030032 == 0x00030032 and
         not ek.attributes & 0x00040000,
         'EK: attributes %08x' % ek.attributes)
    need(ek.attributes & 0x40 or
         ek.policy == policy_secret(ek.hash, ENDORSEMENT), 'EK: policy')


def check_idevid(d, csr, nonce):
    p = Public(csr.signing_pub)
    cert = binary(d, 'certificate')
    need(p.spki() == cert_spki(cert), 'the certificate is for another key')
    need(subject_serial(cert) == [d['serial-number']],
         'the certificate is for another serial number')
    need(csr.serial == d['serial-number'].encode(),
         'CSR: for another serial number')
    need(csr.ca_data == nonce, 'CSR: another nonce')
    check_template(p, 'IDevID', 0x01C90010, 0x000400F2)
    signed(p.spki(), p.hash, csr.signature_value(), csr.contents,
           'CSR: signature')
    return p


def printed(kind, raw):
    # of an attestation of a key it prints the head, and then that it does not
    # know the rest
    return subprocess.run(['tpm2_print', '-t', kind, path('print', raw)],
                          capture_output=True, check=False).stdout.decode()


def second_opinion(idevid, attest, nonce):
    text = printed('TPMT_PUBLIC', idevid.raw)
    need('raw: 0x%x' % idevid.attributes in text and
         idevid.policy.hex() in text.lower(),
         'tpm2_print reads another public area')
    if attest:
        need('extraData: ' + nonce.hex() in printed('TPMS_ATTEST', attest),
             'tpm2_print reads another nonce')


def check_attest(csr, idevid, nonce):
    iak = Public(csr.attest_pub)
    check_template(iak, 'IAK', 0x01C90018, 0x000500F2)
    alg, value = tpmt_signature(csr.sgn_signature)
    signed(iak.spki(), alg, value, csr.sgn_info, 'attestation: signature')
    a = Attest(csr.sgn_info)
    need(a.extra == nonce, 'attestation: another nonce')
    need(a.name == idevid.name(), 'attestation: of another key')
    need(a.signer == qualified(ENDORSEMENT, iak.name(), iak.hash),
         'attestation: by another key')
    if a.type == 0x8017:
        need(a.other == qualified(ENDORSEMENT, idevid.name(), idevid.hash),
             'attestation: key of another hierarchy')
    return a, iak


def check_iak_cert(d, iak):
    cert = binary(d, 'iak-certificate')
    if d['profile'] == 'tcg' or cert:
        need(cert, 'no IAK certificate')
        need(cert_spki(cert) == iak.spki(),
             'the IAK certificate is for another key')
        need(subject_serial(cert) == [d['serial-number']],
             'the IAK certificate is for another serial number')


def binary(d, member):
    return base64.b64decode(d.get(member, ''), validate=True)


def check(d, o):
    chains(binary(d, 'certificate'), o.anchors, o.issuing, 'IDevID',
           '-x509_strict')
    if d['profile'] not in ('tcg', 'lean', 'direct'):
        return 'unproved ' + d['profile']
    nonce = nonce_of(d)
    need(nonce.hex() == d['nonce'], 'another nonce is on record')
    csr = Csr(binary(d, 'tcg-csr'))
    check_ek(d, csr, o)
    idevid = check_idevid(d, csr, nonce)
    second_opinion(idevid, csr.sgn_info, nonce)
    need(d['state'] in ('installed', 'done'), 'not activated yet')
    if d['profile'] == 'direct':
        need(not csr.attest_pub and not csr.sgn_info, 'direct with an IAK')
        return 'proved direct %s by activation of %s' % (
            idevid.kind(), idevid.name().hex()[:12])
    a, iak = check_attest(csr, idevid, nonce)
    need(a.type == (0x8017 if d['profile'] == 'tcg' else 0x801A),
         'attestation of another kind')
    check_iak_cert(d, iak)
    return 'proved %s %s by %s' % (
        d['profile'], idevid.kind(),
        'Certify' if a.type == 0x8017 else 'CertifyCreation')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('attestations')
    for name in ('vendor-root', 'vendor-issuer', 'anchors', 'issuing'):
        p.add_argument('--' + name, required=True)
    o = p.parse_args()
    bad = 0
    with open(o.attestations, encoding='utf-8') as f:
        for line in f:
            d = json.loads(line)
            try:
                said = check(d, o)
            except (Bad, KeyError, ValueError) as e:
                said = 'REFUSED %s' % (e if isinstance(e, Bad) else repr(e))
                bad = 1
            print(d.get('serial-number', '?'), said)
    return bad


if __name__ == '__main__':
    sys.exit(main())
