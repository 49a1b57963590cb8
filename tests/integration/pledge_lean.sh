#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A device whose IDevID key is at no handle, made again by its TPM each time, as
# profile lean leaves it: nothing is configured, and it joins.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
trap world_end EXIT

# shellcheck disable=SC2034 # read in world.sh
MAKER_PROFILE=lean
handles() {
    in_device gateway tpm2_getcap handles-persistent
}
at_no_handle() {
    ! handles | grep -q '0x81020000'
}

world_begin
ok 'maker' maker || bail 'no maker'
ok 'MASA serves' masa_start || bail 'no MASA'
ok 'a TPM as its vendor ships it' vendor_tpm_up gateway || bail 'no TPM'
ok "its vendor's roots" maker_roots || bail 'no roots'
pledge_conf gateway tpm2:
ok 'an IDevID' provision gateway TPM-0001 tpm2: || bail 'no device'
ok 'its key is at no handle' at_no_handle
ok 'MASA learns of it' learn_devices
ok 'owner' owner
ok 'registrar serves' registrar_start
ok 'the device joins' pledge gateway join --registrar "localhost:$REG_PORT"
like 'it is enrolled' "$(pledge gateway --json status)" '"state":"enrolled"'
ok 'still at no handle' at_no_handle
done_testing
