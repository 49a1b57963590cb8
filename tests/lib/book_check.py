#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# book_check.py BOOK ANCHORS: a line's book judged by what idevid/journal.h and
# factory_schema.sql say, with Python's own library and openssl cms.
import hashlib
import json
import sqlite3
import subprocess
import sys


def sha256(data):
    return hashlib.sha256(data).digest()


def check(wrong, right, what):
    if wrong != right:
        sys.exit(what)


db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
previous, chain, rows = bytes(32), {}, {}
for seq, time, kind, serial, body, prev, its in db.execute(
        "SELECT seq, time, kind, serial_number, body, previous, hash"
        " FROM entry ORDER BY seq"):
    check(seq, len(chain) + 1, f"entry {len(chain) + 1} is missing")
    check(prev, previous, f"entry {seq} does not follow")
    previous = sha256(previous + seq.to_bytes(8, "big") +
                      time.to_bytes(8, "big") + kind.encode() + b"\0" +
                      serial.encode() + b"\0" + sha256(body.encode()))
    check(its, previous, f"entry {seq} was changed")
    chain[seq] = previous.hex()
    says = json.loads(body)
    check(body, json.dumps(says, sort_keys=True, ensure_ascii=False,
                           separators=(",", ":")), f"entry {seq}: its form")
    if kind == "order":
        lines = db.execute("SELECT body FROM order_device WHERE order_id = ?"
                           " ORDER BY position", (says["order"],)).fetchall()
        lines = db.execute("SELECT body FROM work_order WHERE id = ?",
                           (says["order"],)).fetchall() + lines
        check(sha256("".join(x[0] + "\n" for x in lines).encode()).hex(),
              says["sha256"], f"order {says['order']} was changed")
    if "device" in says:
        rows[serial] = says["device"]
sealed = 0
for sealed, time, its, cms in db.execute("SELECT seq, time, hash, cms"
                                         " FROM batch ORDER BY seq"):
    said = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-binary", "-CAfile",
         sys.argv[2], "-purpose", "any", "-no_check_time"],
        input=cms, capture_output=True, check=False)
    check(said.returncode, 0, f"batch {sealed}: {said.stderr.decode()}")
    check(json.loads(said.stdout),
          {"hash": chain.get(sealed), "seq": sealed, "time": time},
          f"batch {sealed} is over something else")
names = {"cert": "certificate", "iak_cert": "iak-certificate",
         "request": "request", "reply": "reply", "escrow": "escrow",
         "ek": "ek", "key": "key"}
db.row_factory = sqlite3.Row
devices = 0
for d in db.execute("SELECT * FROM device"):
    devices += 1
    row = rows.pop(d["serial_number"], {})
    for column, name in names.items():
        check(d[column].hex(), row.get(name, ""),
              f"device {d['serial_number']}: {name} is not what was noted")
    for name in "operator", "station", "model", "issue", "created", "changed":
        check(d[name], row.get(name, ""), f"{d['serial_number']}: {name}")
check(rows, {}, f"devices without a row: {' '.join(rows)}")
for d in db.execute("SELECT sha256, data FROM document"):
    check(sha256(d["data"]), d["sha256"], "a document was changed")
print(f"{len(chain)} entries, {len(chain) - sealed} after the last signature,"
      f" {devices} devices")
