"""Reads exported entries with parsers that know nothing of guest-vault, hostile names in them.

    python3 -m pip install pycef==1.11 syslog-rfc5424-parser==0.3.2
    python3 tests/siem/check.py BINARY

A vault is made whose log holds entries with names that no vault writes (quotes, brackets, pipes, line ends, emoji, ten
thousand characters): as if somebody had put them into the database. Each entry must come out as one event of each
format, with its index, its name whole, and nothing beside it.
"""

import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pycef
from syslog_rfc5424_parser import SyslogMessage

HOSTILE = [
    'a"b', "a]b", "a[b", "a|b", "a\\b", "a=b c=d", "a\nb", "a\r\n<13>1 - - - - - - injected", "a\tb", "\u2028", "\x85",
    'x"] [evil@1 a="b', "CEF:0|evil|evil|1|1|1|1|act=evil", "🏨🛎️", "王小明", "長" * 10_000, "'; DROP TABLE audit_event; --", "\\",
    "=", "]", '"', "suser=root", "\\n", "a\\=b",
]
OURS = "vault@32473"


def fill(path):
    """Puts one entry for each hostile name in three places; returns the names in the order of the log."""
    database = sqlite3.connect(path)
    writer = uuid.UUID(int=9)
    for n, name in enumerate(HOSTILE, start=1):
        leaf = {"act": "read", "actor": name, "at": 1_772_704_800_000_000 + n, "credential": "api_key",
                "decision": "permitted", "fields": {"phones": "masked"}, "policy": name[:100],
                "principal": str(uuid.UUID(int=5)), "property": "LIS01", "purpose": name[:100],
                "request": str(uuid.UUID(int=6)), "role": "front_desk", "seq": n, "v": 1, "writer": str(writer)}
        text = json.dumps(leaf, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        entry = uuid.UUID(int=n << 64 | 7 << 76 | 2 << 62)
        database.execute(
            "INSERT INTO audit_event (entry_id, writer, writer_seq, at, principal, actor, property, purpose, action,"
            " decision, leaf) VALUES (?, ?, ?, ?, ?, ?, 'LIS01', ?, 'read', 'permitted', ?)",
            (entry.bytes, writer.bytes, n, leaf["at"], uuid.UUID(int=5).bytes, name, name[:100], text))
    database.commit()
    database.close()


def plain(name):
    """What ends a line or is a control character is a space in syslog."""
    return "".join(" " if ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or c in "\u2028\u2029" else c for c in name)


def main():
    binary = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        vault = lambda *arguments: subprocess.run(
            [binary, *arguments], cwd=folder, check=True, capture_output=True).stdout.decode()
        vault("principal", "create", "--name", "a", "--role", "auditor", "--property", "GROUP")
        fill(Path(folder) / "vault-data" / "vault.db")
        server = subprocess.Popen([binary, "serve", "--port", "0"], cwd=folder,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.terminate()
            server.wait()
        lines = {form: vault("audit", "export", "--format", form).split("\n") for form in ("syslog", "cef", "ocsf")}
    for form, each in lines.items():
        assert each.pop() == "", f"{form}: the last line has its end"
    count = len(lines["ocsf"])
    assert count >= len(HOSTILE) + 1 and count == len(lines["syslog"]) == len(lines["cef"]), "a line each, no more"
    hostile = 0
    for index, (ocsf, syslog, cef) in enumerate(zip(lines["ocsf"], lines["syslog"], lines["cef"])):
        event = json.loads(ocsf)
        assert event["metadata"]["sequence"] == index
        actor = event["actor"]["user"]["uid"]
        # This parser takes an escaped backslash before the closing quote for an escaped quote, against RFC 5424 §6.3.3.
        message = None if actor.endswith("\\") else SyslogMessage.parse(syslog)
        if message:
            assert list(message.sd) == [OURS], message.sd
            assert message.sd[OURS]["index"] == str(index) and message.appname == "guest-vault"
        record = pycef.parse(cef)
        assert record and record["DeviceVendor"] == "guest-vault" and record["logIndex"] == str(index), cef
        if actor in HOSTILE:
            hostile += 1
            # This parser also leaves the escapes as they are.
            told = plain(actor) if message is None else re.sub(r'\\(["\\\]])', r"\1", message.sd[OURS]["actor"])
            assert told == plain(actor), (told, actor)
            assert record["act"] == "read" and record["outcome"] == "permitted", record
    assert hostile == len(HOSTILE), hostile
    print(f"{count} entries, {hostile} of them hostile: each one event of each format")


main()
