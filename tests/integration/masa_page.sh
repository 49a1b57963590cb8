#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The maker's page: each of its commands, as it stands there.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/page.inc"
trap page_end EXIT

page_begin idevid-masa-operate.7
page_run
like 'the device has joined' "$(cat out.*)" 'GW-1 .*proximity'
like 'the figures are there' "$(cat metrics)" '^idevid_vouchers_issued_total 1'
like 'a copy that is too old says so' "$(cat out.*)" 'entries were taken out'
like 'the next signer is there' "$(cat out.*)" 'key *voucher *O=Acme, CN=Acme Voucher Signer.*for vouchers: any'
is 'it is one of two of that kind' "$(ls restored/masa/masa-2.pem \
    restored/masa/masa-2.ini 2>/dev/null | wc -l)" 2
ok 'the second maker has its own log' grep -q sth out.*
ok 'PostgreSQL has the device' grep -q GW-1 masa.sql
done_testing
