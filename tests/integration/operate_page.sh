#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The operator's page: each of its commands, as it stands there.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/page.inc"
trap page_end EXIT

page_begin idevid-registrar-operate.7
page_run
like 'the first device is enrolled' "$(cat out.*)" 'state *enrolled'
like 'the one denied was told' "$(cat out.*)" '403\|refused'
like 'the figures are there' "$(cat metrics)" '^idevid_vouchers_total 2'
ok 'after the restore all was as before' cmp before.json after.json
ok 'PostgreSQL has the ledger' grep -q GW-3 domain.sql
done_testing
