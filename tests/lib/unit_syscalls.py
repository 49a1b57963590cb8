#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# unit_syscalls.py UNIT TRACE ...: does the unit's SystemCallFilter let through
# all the system calls that strace -f wrote down? The sets are the ones of the
# systemd that is here. A call that failed with ENOSYS counts as none.
import re
import subprocess
import sys


def expand(word):
    if not word.startswith('@'):
        return {word}
    text = subprocess.run(['systemd-analyze', '--no-pager', 'syscall-filter',
                           word], check=True, capture_output=True,
                          text=True).stdout
    found = set()
    for line in text.splitlines()[1:]:
        line = line.strip()
        if line and not line.startswith('#'):
            found |= expand(line)
    return found


allowed = expand('@default')
for line in open(sys.argv[1]):
    if line.startswith('SystemCallFilter='):
        words = line.strip().split('=', 1)[1]
        for word in words.lstrip('~').split():
            allowed = allowed - expand(word) if words.startswith('~') \
                else allowed | expand(word)

used = set()
for trace in sys.argv[2:]:
    for line in open(trace, errors='replace'):
        call = re.match(r'(?:\d+ +)?([a-z0-9_]+)\(', line)
        if call and 'ENOSYS' not in line:
            used.add(call.group(1))
if len(used) < 40:
    sys.exit('only %d system calls seen' % len(used))
if used - allowed:
    sys.exit('refused: ' + ' '.join(sorted(used - allowed)))
print('%d system calls used, %d allowed' % (len(used), len(allowed)))
