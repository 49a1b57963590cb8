#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The line engineer's page: each of its commands, as it stands there.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/page.inc"
trap page_end EXIT

page_begin idevid-factory-line.7
page_run
like 'ten devices are done' "$(cat out.*)" '10 done, 0 had theirs already'
like 'and left alone' "$(cat out.*)" '0 done, 10 had theirs already, 0 failed'
is 'the feed has them' "$(wc -l <feed.jsonl)" 10
is 'so has the table, with its header' "$(wc -l <devices.csv)" 11
ok 'labels are a PDF' grep -q '^%PDF' labels.pdf
done_testing
