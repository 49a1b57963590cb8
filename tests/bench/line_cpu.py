# SPDX-License-Identifier: Apache-2.0
"""usage: line_cpu.py DEVICES CONTEXTS COMMAND ...

Runs it, one worker that makes so many devices, and prints of those after the
first two: the median and the least of "cpu-ms" in their events "done", and how
many library contexts ESYS made for each device, from the file CONTEXTS (0: not
counted)."""
import json
import os
import statistics
import subprocess
import sys

devices, contexts = int(sys.argv[1]), sys.argv[2]
p = subprocess.run(sys.argv[3:], stdout=subprocess.PIPE, check=False)
done = [e for e in map(json.loads, p.stdout.decode().splitlines())
        if e.get('event') == 'done']
if p.returncode != 0 or len(done) != devices:
    sys.stdout.buffer.write(p.stdout)
    sys.exit(1)
made = 0
if os.path.exists(contexts):
    with open(contexts, encoding='ascii') as f:
        made = sum(map(int, f)) // devices
warm = [e['cpu-ms'] for e in done[2:]]
print('%.1f' % statistics.median(warm), min(warm), made)
