"""Reads exported entries with parsers that know nothing of guest-vault, hostile names in them.

    python3 -m pip install pycef==1.11 syslog-rfc5424-parser==0.3.2 ocsf-json-schema==1.2.0 jsonschema==4.26.0
    apt-get install rsyslog rsyslog-gnutls openssl
    python3 tests/siem/check.py BINARY

A vault is made whose log holds entries with names that no vault writes (quotes, brackets, pipes, line ends, emoji, ten
thousand characters): as if somebody had put them into the database. Each entry must come out as one event of each
format, with its index, its name whole, and nothing beside it; OCSF as the released schema says, and syslog as rsyslog
takes it in over TLS.
"""

import functools
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pycef
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from syslog_rfc5424_parser import SyslogMessage

HOSTILE = [
    'a"b', "a]b", "a[b", "a|b", "a\\b", "a=b c=d", "a\nb", "a\r\n<13>1 - - - - - - injected", "a\tb", "\u2028", "\x85",
    'x"] [evil@1 a="b', "CEF:0|evil|evil|1|1|1|1|act=evil", "🏨🛎️", "王小明", "長" * 10_000, "'; DROP TABLE audit_event; --", "\\",
    "=", "]", '"', "suser=root", "\\n", "a\\=b",
]
OURS = "vault@32473"
# Of each class and activity one at least.
ACTS = ["read", "reveal", "search", "export_audit", "put_record", "correct", "revoke_principal", "publish_notice"]
RSYSLOG = """
global(workDirectory="{folder}" maxMessageSize="256k" defaultNetstreamDriver="gtls"
       defaultNetstreamDriverCAFile="{folder}/ca.pem" defaultNetstreamDriverCertFile="{folder}/ca.pem"
       defaultNetstreamDriverKeyFile="{folder}/key.pem")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
module(load="mmpstrucdata")
template(name="whole" type="string" string="%jsonmesg%\\n")
input(type="imtcp" port="{port}" address="127.0.0.1")
action(type="mmpstrucdata")
action(type="omfile" file="{folder}/received" template="whole")
"""


def fill(path):
    """Puts one entry for each hostile name in three places; returns the names in the order of the log."""
    database = sqlite3.connect(path)
    writer = uuid.UUID(int=9)
    for n, name in enumerate(HOSTILE, start=1):
        leaf = {"act": ACTS[n % len(ACTS)], "actor": name, "at": 1_772_704_800_000_000 + n, "credential": "api_key",
                "decision": "permitted", "fields": {"phones": "masked"}, "policy": name[:100],
                "principal": str(uuid.UUID(int=5)), "property": "LIS01", "purpose": name[:100],
                "request": str(uuid.UUID(int=6)), "role": "front_desk", "seq": n, "v": 1, "writer": str(writer)}
        text = json.dumps(leaf, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        entry = uuid.UUID(int=n << 64 | 7 << 76 | 2 << 62)
        database.execute(
            "INSERT INTO audit_event (entry_id, writer, writer_seq, at, principal, actor, property, purpose, action,"
            " decision, leaf) VALUES (?, ?, ?, ?, ?, ?, 'LIS01', ?, ?, 'permitted', ?)",
            (entry.bytes, writer.bytes, n, leaf["at"], uuid.UUID(int=5).bytes, name, name[:100], leaf["act"], text))
    database.commit()
    database.close()


def plain(name):
    """What ends a line or is a control character is a space in syslog."""
    return "".join(" " if ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or c in "\u2028\u2029" else c for c in name)


def schemas():
    """The classes of the released schema that events say they are, with the profiles that they name."""
    names = {6005: "datastore_activity", 3004: "entity_management"}

    @functools.cache
    def of(uid, profiles):
        whole = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.3.0"))
        return Draft202012Validator(whole.get_class_schema(names[uid], list(profiles)))
    return of


def received(folder, vault, wanted):
    """The log as rsyslog takes it in over TLS: messages with the structured data that it found in them."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/ca.pem"], check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    Path(folder, "rsyslog.conf").write_text(RSYSLOG.format(folder=folder, port=port))
    program = os.environ.get("RSYSLOGD", "/usr/sbin/rsyslogd")
    daemon = subprocess.Popen([program, "-n", "-i", f"{folder}/pid", "-f", f"{folder}/rsyslog.conf"])
    path = Path(folder, "received")
    lines = lambda: path.read_text().splitlines() if path.exists() else []
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        vault("audit", "export", "--format", "syslog", "--syslog-tls", f"localhost:{port}", "--syslog-ca", f"{folder}/ca.pem")
        for _ in range(100):
            if len(lines()) >= wanted:
                break
            time.sleep(0.1)
        # What would be too much comes late, too.
        time.sleep(1)
    finally:
        daemon.terminate()
        daemon.wait(timeout=30)
    messages = [json.loads(line) for line in lines()]
    return [m for m in messages if m.get("app-name", m.get("programname")) == "guest-vault"], messages


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
        ours, all_of_them = received(folder, vault, len(lines["ocsf"]) - 1)
    for form, each in lines.items():
        assert each.pop() == "", f"{form}: the last line has its end"
    count = len(lines["ocsf"])
    assert count >= len(HOSTILE) + 1 and count == len(lines["syslog"]) == len(lines["cef"]), "a line each, no more"
    strange = [m for m in all_of_them if m not in ours and m.get("programname") != "rsyslogd"]
    assert len(ours) == count and not strange, f"rsyslog took in {len(ours)} messages of {count}, and {strange[:3]}"
    classes, seen = schemas(), set()
    hostile = 0
    for index, (ocsf, syslog, cef) in enumerate(zip(lines["ocsf"], lines["syslog"], lines["cef"])):
        event = json.loads(ocsf)
        assert event["metadata"]["sequence"] == index
        wrong = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in
                 classes(event["class_uid"], tuple(event["metadata"].get("profiles", []))).iter_errors(event)]
        assert not wrong, (event["class_uid"], event["metadata"]["event_code"], wrong)
        seen.add(event["type_uid"])
        actor = event["actor"]["user"]["uid"]
        data = ours[index]["$!"]["rfc5424-sd"]
        assert list(data) == [OURS] and data[OURS]["index"] == str(index), data
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
            taken = data[OURS]["actor"]
            assert taken == plain(actor), (taken, actor)
            assert record["act"] == event["metadata"]["event_code"] and record["outcome"] == "permitted", record
    assert hostile == len(HOSTILE), hostile
    print(f"{count} entries, {hostile} of them hostile: each one event of each format, {len(seen)} kinds of OCSF events as "
          f"the schema says, {len(ours)} messages in rsyslog")


main()
