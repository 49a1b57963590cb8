# SPDX-License-Identifier: Apache-2.0
"""usage: line.py COMMAND ...

Runs it and prints, of the device it made (the event "done" in its output), one
line: CALLS LOCKS SELF-TEST LOCKDOWN ROUND-TRIPS CPU-MS KIB. CALLS are those for
look, request and install; CPU and memory are the process's, getrusage."""
import json
import resource
import subprocess
import sys

p = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=False)
u = resource.getrusage(resource.RUSAGE_CHILDREN)
for line in p.stdout.decode().splitlines():
    d = json.loads(line)
    if d.get('event') == 'done':
        print(d['calls-look'] + d['calls-request'] + d['calls-install'],
              d['calls-locks'], d['calls-self-test'], d['calls-lockdown'],
              d['round-trips'], '%.1f' % (1000 * (u.ru_utime + u.ru_stime)),
              u.ru_maxrss)
        break
else:
    sys.stdout.buffer.write(p.stdout)
    sys.exit(1)
