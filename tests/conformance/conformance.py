#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which test covers which requirement: conformance.py page|faults [SOURCE].

Tests cite requirements (R-P-12, R-S-3): a cmocka test in a comment directly
above it, behind its head or in it, not in a heading (/* --- */); a story in
the titles of its cases; a fuzz target in its head comment. "page" prints idevid-conformance(7) made of
these and of requirements.txt; "faults" prints, a line each, what is wrong.
"""
import pathlib
import re
import sys
import textwrap

ID = re.compile(r'\bR-([PRCMS])-(\d+)\b')
TEST = re.compile(r'static void (\w+)\(void \*\*')
RANGE = re.compile(r'\bR-[PRCMS]-\d+ ?(\.\.|,? \d|to \d)')
TITLE = re.compile(r'''['"](?:R-[A-Z]-\d+,? ?)+: ([^'"$]*)['"]''')
# R-R-50 to 66 and 71 are of other protocols (CoAP, responder mode, CMP)
FAMILIES = [('P', range(1, 101), 'PLEDGE'),
            ('R', [*range(1, 50), *range(67, 71), *range(72, 76)], 'REGISTRAR'),
            ('C', range(1, 9), 'CLOUD REGISTRAR'),
            ('M', range(1, 41), 'MASA'),
            ('S', range(1, 27), 'ATTACKS')]


def ids_of(text):
    return [m.group(0) for m in ID.finditer(text)]


class Table:
    """requirements.txt, and what is wrong in it."""

    def __init__(self, path):
        self.rows, self.faults = {}, []
        for line in path.read_text().splitlines():
            if line and not line.startswith('#'):
                self.add(line)
        for family, numbers, _ in FAMILIES:
            for n in numbers:
                if f'R-{family}-{n}' not in self.rows:
                    self.faults.append(f'R-{family}-{n} is not in the table')

    def add(self, line):
        fields = [f.strip() for f in line.split('|')]
        if len(fields) != 5 or not all(fields[:4]):
            self.faults.append(f'not five fields: {line}')
        elif fields[0] in self.rows:
            self.faults.append(f'{fields[0]} is in the table twice')
        elif fields[4] and not re.match(r'(document|later): \S', fields[4]):
            self.faults.append(f'{fields[0]}: neither document nor later')
        else:
            self.rows[fields[0]] = fields[1:]


class Citations:
    """Who says to test what: id -> [(program, case)]."""

    def __init__(self, tests):
        self.by_id, self.faults, self.tests = {}, [], tests
        for path in sorted(tests.glob('unit/test_*.c')):
            self.unit(path)
        for path in sorted(tests.glob('fuzz/fuzz_*.c')):
            self.fuzz(path)
        self.stories = sorted(p for p in tests.glob('integration/*.sh')
                              if p.name != 'world.sh')
        for path in self.stories:
            self.shell(path, [path.stem])
        for path in self.helpers():
            self.shell(path, self.users(path))

    def helpers(self):
        yield from sorted(self.tests.glob('integration/*.inc'))
        yield from sorted(self.tests.glob('lib/*.py'))
        yield self.tests / 'integration/world.sh'
        yield from sorted(self.tests.glob('lib/*.[ch]'))
        yield from sorted(self.tests.glob('unit/*.h'))

    def users(self, helper):
        """The stories that name a helper, by way of others if need be."""
        if helper.name == 'world.sh' or helper.suffix in ('.c', '.h'):
            return []
        found = [p.stem for p in self.stories if helper.name in p.read_text()]
        for other in self.tests.glob('integration/*.inc'):
            if other != helper and helper.name in other.read_text():
                found += self.users(other)
        return sorted(set(found))

    def cite(self, ids, program, case):
        for name in ids:
            cases = self.by_id.setdefault(name, {}).setdefault(program, [])
            if case and case not in cases:
                cases.append(case)

    def fault(self, path, number, text):
        self.faults.append(f'{path.relative_to(self.tests)}:{number}: {text}')

    def unit(self, path):
        text = path.read_text()
        lines = text.splitlines()
        inside, n = None, 0
        while n < len(lines):
            if lines[n] == '}':
                inside = None
            head = TEST.match(lines[n])
            inside = head.group(1) if head else inside
            start = n
            if '/*' in lines[n]:
                while '*/' not in lines[n] and n + 1 < len(lines):
                    n += 1
            comment = ' '.join(lines[start:n + 1])
            n += 1
            if not ID.search(comment) or comment.startswith('/* ---'):
                continue
            follows = TEST.match(lines[n]) if n < len(lines) else None
            case = inside or (follows.group(1) if follows else None)
            if '/*' not in comment:
                self.fault(path, start + 1, 'cited in code, not in a comment')
            elif RANGE.search(comment):
                self.fault(path, start + 1, 'each id is written in full')
            elif not case:
                self.fault(path, start + 1, 'a citation above no test')
            elif len(re.findall(rf'\b{case}\b', text)) < 2:
                self.fault(path, start + 1, f'{case} is not run')
            else:
                self.cite(ids_of(comment), path.stem, case)

    def fuzz(self, path):
        head = path.read_text().split('#include')[0]
        self.cite(ids_of(head), path.stem, None)

    def shell(self, path, programs):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not ID.search(line):
                continue
            if path.suffix in ('.sh', '.inc') and line.lstrip()[:1] == '#':
                self.fault(path, number, 'cited in a comment, not in a title')
            if RANGE.search(line):
                self.fault(path, number, 'each id is written in full')
            if not programs:
                self.fault(path, number, 'a citation that no test makes')
            title = TITLE.search(line)
            for program in programs:
                self.cite(ids_of(line), program,
                          title.group(1).strip() if title else None)


def faults(table, cited):
    yield from table.faults
    yield from cited.faults
    for name in cited.by_id:
        if name not in table.rows:
            yield f'{name} is cited and does not exist'
    for name, row in table.rows.items():
        if not row[3] and name not in cited.by_id:
            yield f'{name} has no test, and nothing says why'
        if row[3].startswith('later') and name in cited.by_id:
            yield f'{name} is tested and still counted as later'


def escaped(text):
    text = text.replace('\\', '\\e')
    return re.sub(r"^([.'])", r'\\&\1', text, flags=re.M)


def paragraph(text):
    return escaped(textwrap.fill(text, 78, break_on_hyphens=False,
                                 break_long_words=False))


def tested_by(programs):
    parts = []
    for program, cases in sorted(programs.items()):
        unit = program.startswith('test_')
        said = ', '.join(cases if unit else [f'"{c}"' for c in cases])
        parts.append(f'{program} ({said})' if said else program)
    return 'by ' + '; '.join(parts) + '.'


def row_page(name, row, programs):
    level, source, wording, otherwise = row
    out = [f'.It {name}', paragraph(wording), paragraph(f'{level}: {source}.')]
    if programs:
        out += ['.Em Tested', paragraph(tested_by(programs))]
    if otherwise.startswith('document'):
        out += ['.Em By document :', paragraph(otherwise[10:] + '.')]
    if otherwise.startswith('later') and not programs:
        out += ['.Em Later :', paragraph(otherwise[7:] + '.')]
    return '\n'.join(out)


HEAD = r'''.\" SPDX-License-Identifier: Apache-2.0
.\" made by make update-manual; edit tests/conformance/requirements.txt
.Dd $Mdocdate$
.Dt IDEVID-CONFORMANCE 7
.Os
.Sh NAME
.Nm idevid-conformance
.Nd what pledges, registrars and MASAs have to do, and which test proves it
.Sh DESCRIPTION
A device that joins by BRSKI is bound by several documents, and so are the
registrar that lets it in and the MASA that vouches for it.
This page lists what they demand of them, in words of our own, each with its
level and source, and then one of three:
.Bl -tag -width Ds
.It Em Tested
by the tests that are named: a program of
.Pa tests/unit
with its cases, a story of
.Pa tests/integration ,
or a target of
.Pa tests/fuzz .
.It Em By document
where it is for who uses the programs to do.
.It Em Later
with the reason why not yet.
.El
.Pp
'''

TAIL = r'''.Sh SEE ALSO
.Xr idevid-masa 8 ,
.Xr idevid-pledge 8 ,
.Xr idevid-registrar 8
.Sh STANDARDS
.Rs
.%R RFC 8995
.%T Bootstrapping Remote Secure Key Infrastructure (BRSKI)
.Re
.Rs
.%R RFC 8366
.%T A Voucher Artifact for Bootstrapping Protocols
.Re
.Rs
.%R RFC 7030
.%T Enrollment over Secure Transport
.Re
.Rs
.%R RFC 8951
.%T Clarification of Enrollment over Secure Transport (EST)
.Re
.Rs
.%R RFC 8994
.%T An Autonomic Control Plane (ACP)
.Re
'''


def page(table, cited):
    tested = [n for n in table.rows if n in cited.by_id]
    out = [HEAD.rstrip().replace('$Mdocdate$', 'November 27, 2026'),
           f'Of {len(table.rows)}, {len(tested)} are tested.']
    for family, _, title in FAMILIES:
        out += [f'.Sh {title}', '.Bl -tag -width Ds']
        out += [row_page(n, r, cited.by_id.get(n, {}))
                for n, r in table.rows.items() if n.startswith(f'R-{family}-')]
        out += ['.El']
    return '\n'.join(out) + '\n' + TAIL


def main(argv):
    here = pathlib.Path(__file__).resolve().parent
    tests = pathlib.Path(argv[2]) / 'tests' if len(argv) > 2 else here.parent
    table = Table(tests / 'conformance/requirements.txt')
    cited = Citations(tests)
    if argv[1:2] == ['page']:
        sys.stdout.write(page(table, cited))
    elif argv[1:2] == ['faults']:
        sys.stdout.writelines(f'{f}\n' for f in faults(table, cited))
    else:
        sys.exit(__doc__)


main(sys.argv)
