# SPDX-License-Identifier: Apache-2.0
"""usage: line_certs.py FEED --anchors PEM --issuing PEM --masa-url TEXT
                      --organization TEXT --devices N

What a line's registration feed has to show: N devices, each with one
certificate, none with another's serial number, key, certificate number or
endorsement key; every certificate verified by openssl verify, and read by
openssl x509 -text: subject, no expiry, key usage, policies, MASA URL, and the
hardwareModuleName of its subjectAltName. Prints what is wrong, a line each;
nothing when all is right."""
import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tcgread import der_next, der_oid

TPM_TYPE = '2.23.133.1.2'
RESIDENCY = ('2.23.133.11.1.1', '2.23.133.11.1.2')


def openssl(*argv):
    p = subprocess.run(('openssl',) + argv, capture_output=True, check=False)
    return p.returncode, (p.stdout + p.stderr).decode(errors='replace')


def hardware_module(der):
    """(hwType, hwSerialNum) of id-on-hardwareModuleName, where there is one"""
    at = der.find(der_oid('1.3.6.1.5.5.7.8.4'))
    if at < 0:
        return None
    _, _, rest = der_next(der[at:])
    _, value, _ = der_next(rest)  # [0]
    _, value, _ = der_next(value)  # SEQUENCE
    _, oid, rest = der_next(value)
    _, number, _ = der_next(rest)
    return oid, number


def check(d, der, o, say):
    _, text = openssl('x509', '-inform', 'DER', '-noout', '-text', '-nameopt',
                      'sep_multiline,utf8,lname', '-in', o.file)
    serial = d['serial-number']

    def like(pattern, what):
        if not re.search(pattern, text, re.M):
            say(serial, what)
    like(r'^\s*serialNumber=%s$' % re.escape(serial), 'subject: serialNumber')
    like(r'^\s*organizationName=%s$' % re.escape(o.organization),
         'subject: organization')
    like(r'Not After : Dec 31 23:59:59 9999 GMT', 'expires')
    like(r'X509v3 Key Usage: critical\n\s*Digital Signature$', 'key usage')
    like(re.escape(o.masa_url), 'MASA URL')
    if re.search(r'CA:TRUE', text):
        say(serial, 'is a CA')
    module = hardware_module(der)
    if 'ek-sha256' in d and d.get('profile') != 'token' and \
            module and module[0] == der_oid(TPM_TYPE)[2:]:
        for policy in RESIDENCY:
            like('Policy: ' + re.escape(policy), 'policy ' + policy)
        if not re.fullmatch(rb'[0-9A-Fa-f]{8}:[0-9A-Fa-f]+:[0-9A-Fa-f]+',
                            module[1]):
            say(serial, 'hwSerialNum %r' % module[1])
    elif serial.startswith(o.tpm_prefix):
        say(serial, 'no hardwareModuleName of a TPM')
    number = re.search(r'Serial Number:\s*([0-9a-f:]+)', text)
    return number.group(1).replace(':', '') if number else ''


def main():
    p = argparse.ArgumentParser()
    p.add_argument('feed')
    for name in ('anchors', 'issuing', 'masa-url', 'organization'):
        p.add_argument('--' + name, required=True)
    p.add_argument('--tpm-prefix', default='TPM-')
    p.add_argument('--devices', type=int, required=True)
    o = p.parse_args()
    wrong = []
    seen = {}

    def say(serial, what):
        wrong.append('%s: %s' % (serial, what))

    def once(serial, kind, value):
        other = seen.setdefault((kind, value), serial)
        if other != serial or (kind == 'serial number' and
                               seen.get(('line', serial))):
            say(serial, '%s is %s\'s, too' % (kind, other))
    with tempfile.TemporaryDirectory() as work:
        with open(o.feed, encoding='utf-8') as f:
            devices = [json.loads(line) for line in f]
        if len(devices) != o.devices:
            wrong.append('%d devices, not %d' % (len(devices), o.devices))
        for i, d in enumerate(devices):
            serial = d['serial-number']
            der = base64.b64decode(d['certificate'], validate=True)
            o.file = os.path.join(work, '%d.der' % i)
            with open(o.file, 'wb') as f:
                f.write(der)
            pem = os.path.join(work, '%d.pem' % i)
            openssl('x509', '-inform', 'DER', '-in', o.file, '-out', pem)
            code, said = openssl('verify', '-x509_strict', '-CAfile',
                                 o.anchors, '-untrusted', o.issuing, pem)
            if code:
                say(serial, 'openssl verify: ' + said.strip())
            number = check(d, der, o, say)
            if len(number) < 16:
                say(serial, 'a certificate number of %d digits' % len(number))
            _, key = openssl('x509', '-in', pem, '-noout', '-pubkey')
            once(serial, 'serial number', serial)
            seen[('line', serial)] = True
            once(serial, 'certificate number', number)
            once(serial, 'key', key)
            if 'ek-sha256' in d:
                once(serial, 'EK', d['ek-sha256'])
    print('\n'.join(wrong), end='\n' if wrong else '')
    return bool(wrong)


if __name__ == '__main__':
    sys.exit(main())
