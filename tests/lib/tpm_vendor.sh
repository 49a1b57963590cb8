#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: tpm_vendor.sh STATE CA
#
# Makes in the directory STATE the state of a software TPM as a vendor ships
# one: with EK certificates in NV, RSA 2048 (low range) at 0x01c00002 and P-384
# (high range, without a template index) at 0x01c00016. The directory CA is the
# vendor's: his CA is made there by the first call, several may share it.
# Afterwards CA has, in PEM,
#     swtpm-localca-rootca-cert.pem   the root
#     issuercert.pem                  what issued the EK certificates
# Both directories are there already. Then: swtpm --tpmstate dir=STATE, or
# swtpm-device up DIR where STATE is DIR/state.
set -eu
state=$(cd "$1" && pwd -P)
ca=$(cd "$2" && pwd -P)

cat >"$ca/ca.conf.$$" <<END
statedir = $ca
signingkey = $ca/signkey.pem
issuercert = $ca/issuercert.pem
certserial = $ca/certserial
END
cat >"$ca/options.$$" <<END
--platform-manufacturer Example
--platform-version 1.0
--platform-model Fixture
END
cat >"$ca/setup.conf.$$" <<END
create_certs_tool = $(command -v swtpm_localca)
create_certs_tool_config = $ca/ca.conf.$$
create_certs_tool_options = $ca/options.$$
END
code=0
swtpm_setup --tpm2 --tpmstate "$state" --create-ek-cert --ecc \
    --config "$ca/setup.conf.$$" --logfile "$ca/log.$$" >/dev/null 2>&1 ||
    code=$?
[ $code = 0 ] || tail -n 3 "$ca/log.$$" >&2
rm -f "$ca/ca.conf.$$" "$ca/options.$$" "$ca/setup.conf.$$" "$ca/log.$$"
exit $code
