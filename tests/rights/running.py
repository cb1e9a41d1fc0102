"""What the drills of this folder share: the real program on SQLite or a throw-away PostgreSQL, and calls to it."""

import contextlib
import http.client
import json
import os
import pathlib
import pwd
import secrets
import sqlite3
import subprocess
import tempfile
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

ROOT = pathlib.Path(__file__).resolve().parents[2]
WAIT_SECONDS = 300
ROLES = ("integration", "front_desk", "compliance_officer", "crm")
FIELDS = tomllib.loads((ROOT / "policies/fields.toml").read_text())["field"]
CATEGORY = {field["path"]: field["category"] for field in FIELDS}

CONFIG = """
[server]
port = 0
calls_per_second_address = 0
metrics_token = "a-token-for-the-numbers-only"
[budgets.default]
reveals_per_hour = 0
[consent]
bare_yes = true
[backup]
recipients = ["{recipient}"]
[audit]
mirror = "{mirror}"
[[property]]
code = "GROUP"
kind = "group"
[[property]]
code = "LIS01"
kind = "property"
parent = "GROUP"
region = "PT"
timezone = "Europe/Lisbon"
"""


def bech32(prefix, data):
    """BIP 173, as age writes its keys."""
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    words = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    check = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + words + [0] * 6:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    words += [(check ^ 1) >> 5 * (5 - at) & 31 for at in range(6)]
    return prefix + "1" + "".join(alphabet[word] for word in words)


def age_key():
    """An identity and its recipient, as age spells them."""
    key = X25519PrivateKey.generate()
    raw = serialization.Encoding.Raw
    private = key.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
    return bech32("age-secret-key-", private).upper(), bech32("age", public)


@contextlib.contextmanager
def postgres():
    """A cluster of this run; gives a function that makes a database and says its URL, and the folder of all of it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        child = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            child = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        shell = subprocess.Popen(["sh", "-c", (ROOT / "tests/support/pg.sh").read_text(), "pg", folder], cwd="/",
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **child)
        assert shell.stdout.readline().strip() == "ready", "PostgreSQL does not start"

        def make(name):
            url = f"postgres://test@localhost/{name}?host={folder}"
            run(["psql", "-q", f"postgres://test@localhost/postgres?host={folder}", "-c", f"CREATE DATABASE {name}"])
            return url

        try:
            yield make, pathlib.Path(folder, "data")
        finally:
            shell.stdin.close()
            shell.wait(timeout=WAIT_SECONDS)


def run(command, ok=True, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, **more)
    assert (done.returncode == 0) == ok, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


class Vault:
    """A vault in a folder: its commands, its databases and, while it serves, its calls."""

    def __init__(self, binary, folder, urls=(), environment=None, more=""):
        self.binary, self.folder, self.urls = os.path.abspath(binary), pathlib.Path(folder), urls
        self.environment = {**os.environ, **(environment or {})}
        self.local = threading.local()
        identity, recipient = age_key()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file("identity").write_text(identity)
        self.file("guest-vault.toml").write_text(
            CONFIG.format(recipient=recipient, mirror=self.file("mirror")) + more
        )
        self.options = ["--data-dir", str(self.file("data"))]
        for name, url in zip(("--database-url", "--keys-url"), urls):
            self.options += [name, url]
        self.keys = {}

    def file(self, *names):
        return self.folder.joinpath(*names)

    def command(self, *arguments, ok=True, log=True):
        """Runs a command beside the server, or instead of it; without the log where the drill has lost it."""
        config = self.file("guest-vault.toml")
        if not log:
            text = config.read_text().replace(f'mirror = "{self.file("mirror")}"', "")
            config = self.file("no-log.toml")
            config.write_text(text)
        return run([self.binary, *arguments, "--config", str(config), *self.options], ok, cwd=self.folder,
                   env=self.environment)

    def make_keys(self, roles=ROLES):
        for role in roles:
            made = self.command("principal", "create", "--role", role, "--property", "GROUP", "--name", role, "--json")
            self.keys[role] = json.loads(made.stdout)["key"]

    @contextlib.contextmanager
    def serving(self, **environment):
        with open(self.file("stderr.log"), "ab") as log:
            process = subprocess.Popen(
                [self.binary, "serve", "--json", "--log-level", "debug", *self.options], cwd=self.folder,
                env={**self.environment, **environment}, stdout=subprocess.PIPE, stderr=log, text=True,
            )
        try:
            line = process.stdout.readline()
            if not line:
                raise AssertionError(self.file("stderr.log").read_text()[-2000:])
            self.address = json.loads(line)["url"].removeprefix("http://")
            self.local = threading.local()
            yield self
        finally:
            process.terminate()
            status = process.wait(timeout=WAIT_SECONDS)
        assert status == 0, f"the vault ended with {status}"

    def call(self, by, method, path, body=None, purpose="subject_request", expect=range(200, 300), headers=()):
        """By whom: a role, and after a slash the person."""
        role, _, actor = by.partition("/")
        sent = {"Authorization": f"Bearer {self.keys[role]}", "Vault-Property": "LIS01", "Vault-Purpose": purpose,
                "Content-Type": "application/json", **dict(headers)}
        if role == "compliance_officer":
            sent["Vault-Property"] = "GROUP"
        if actor:
            sent["Vault-Actor"] = actor
        connection = getattr(self.local, "connection", None)
        # The server ends connections that nobody uses.
        if connection is None or time.monotonic() - self.local.used > 2:
            connection = self.local.connection = http.client.HTTPConnection(self.address, timeout=WAIT_SECONDS)
        self.local.used = time.monotonic()
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        expect = expect if isinstance(expect, (range, tuple)) else (expect,)
        assert answer.status in expect, f"{method} {path}: {answer.status} {text[:500]}"
        told = answer.headers.get("content-type", "")
        return json.loads(text) if "json" in told and "ndjson" not in told else text

    def rows(self, store, sqlite, postgres=None):
        """Rows of `data` or `keys` as texts; binary columns are asked for as hex."""
        if self.urls:
            url = self.urls[0 if store == "data" else 1]
            lines = run(["psql", "-AtF", "|", url, "-c", postgres or sqlite]).stdout.splitlines()
            return [tuple(line.split("|")) for line in lines]
        path = self.file("data", "vault.db" if store == "data" else "keys.db")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as database:
            return [tuple(map(str, row)) for row in database.execute(sqlite)]


def each(work, items, workers=4):
    """Does it to all, some at a time; in order."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))


LETTERS = "abcdefghijklmnoprstuvwxyz"
MARKER = "Q" + "".join(secrets.choice(LETTERS) for _ in range(9))


def word():
    """Letters that exist nowhere else, with the mark of this run at the end."""
    return "".join(secrets.choice(LETTERS) for _ in range(10)).capitalize() + MARKER


class Guest:
    """An invented guest with a value of its own in every field of the catalogue."""

    def __init__(self, number, nationality="PT"):
        self.number, self.nationality = number, nationality
        self.own = {}
        self.id = None
        self.document = self.filled()

    def mark(self, path, value=None):
        value = value or word()
        self.own.setdefault(path, []).append(value)
        return value

    def filled(self):
        m, n = self.mark, self.number
        born = f"{1930 + n % 60}-{1 + n // 60 % 12:02}-{1 + n // 720 % 28:02}"
        name = {part: m(f"name.{part}") for part in ("full", "surname", "given", "middle", "surname2", "alias")}
        name["native"] = {"script": "Latn", "value": m("name.native")}
        guest = {
            "external_ids": [{"system": "loyalty", "type": "card", "value": m("external_ids")}],
            "name": name,
            "gender": "female",
            "birth_date": m("birth_date", born),
            "birth_place": m("birth_place"),
            "nationality": self.nationality,
            "preferred_language": f"pt-x-{secrets.token_hex(4)}",
            "organisation": {"name": m("organisation")},
            "occupation": m("occupation"),
            "job_title": m("job_title"),
            "account_manager_id": m("account_manager_id"),
            "relationships": [{"kind": "spouse", "name": m("relationships")}],
            "household_occasions": [{"kind": m("household_occasions"), "relation": "child", "date": "--05-17"}],
            "phones": [{"number": m("phones", f"+35191{n * 7919 % 10_000_000:07}"), "kind": "mobile"}],
            "emails": [{"address": m("emails", f"{word().lower()}@guests.example")}],
            "postal_addresses": [{"lines": [m("postal_addresses")], "city": m("postal_addresses"), "country": "PT"}],
            "messaging_ids": [{"service": "wechat", "id": m("messaging_ids")}],
            "contact_preference": {"hours": m("contact_preference"), "language": "pt"},
            "id_documents": [{"type": "passport", "issuing_country": "PT", "expires_on": "2035-01-02",
                              "number": m("id_documents", f"K{n * 104729 % 100_000_000:08}"),
                              "issued_place": m("id_documents")}],
            "identity_verifications": [{"method": "nfc", "result": "passed", "verifier": m("identity_verifications"),
                                        "at": "2026-03-04T15:00:00Z"}],
            "residence_permit": {"kind": "temporary", "number": f"{m('residence_permit')}7", "valid_to": "2035-01-02"},
            "tax_invoice": [{"title": m("tax_invoice"), "address": m("tax_invoice")}],
            "spend_summary": {"band": m("spend_summary"), "currency": "EUR"},
            "payment_method_pref": m("payment_method_pref"),
            "payment_token_ref": m("payment_token_ref"),
            "vehicle_plates": [m("vehicle_plates", f"Q{n:04}{secrets.token_hex(3).upper()}")],
            "stay_summary": {"stays": 3, "last_stay_month": m("stay_summary")},
            "party": {"adults": 2, "pet": m("party")},
            "memberships": [{"program": "CLUB", "number": m("memberships"), "tier": "gold"}],
            "customer_status": m("customer_status"),
            "value_grade": {"model": "m1", "grade": m("value_grade")},
            "vip_code": m("vip_code"),
            "restriction": {"kind": "watch", "text": m("restriction"), "until": "2035-03-01",
                            "approver": m("restriction")},
            "anniversaries": [{"kind": m("anniversaries"), "date": "--06-01"}],
            "preferences": {
                "room": {"type": m("preferences.room")}, "bedding": {"pillow": m("preferences.bedding")},
                "food_drink": {"likes": [m("preferences.food_drink")]},
                "environment": {"text": m("preferences.environment")},
                "facility": {"likes": [m("preferences.facility")]}, "gift": {"text": m("preferences.gift")},
            },
            "interests": [m("interests")],
            "life_events": [{"kind": m("life_events"), "date": "2025-06"}],
            "diet": [m("diet")],
            "health": {"allergies": [m("health.allergies")], "accessibility": [m("health.accessibility")]},
            "special_needs": [{"text": m("special_needs")}],
            "notes": [{"text": m("notes"), "author": m("notes")}],
            "feedback_items": [{"type": "complaint", "text": m("feedback_items"), "status": "open"}],
            "survey_scores": [{"survey": m("survey_scores"), "nps": 9}],
            "contact_log": [{"channel": "phone", "outcome": m("contact_log")}],
            "campaign_responses": [{"campaign": m("campaign_responses"), "response": "opened"}],
            "segments": [{"tag": m("segments"), "source": "crm"}],
        }
        return guest

    def put(self, vault, arrival, departure, status="checked_out"):
        stay = {"reservation": self.mark("stay_links"), "property": "LIS01", "arrival": str(arrival),
                "departure": str(departure), "status": status}
        consent = {"purpose": "loyalty", "state": "given", "channel": "web", "indication": "checkbox",
                   "evidence_ref": word()}
        record = {"guest": self.document, "stays": [stay], "consents": [consent]}
        answer = vault.call("integration", "PUT", f"/v1/records/pms/drill-{self.number}", record, purpose="booking")
        self.id = answer["guest_id"]
        return self

    def readable(self, vault):
        """The fields whose own values the officer sees in full on demand, and those of which anything is seen by the officer
        or by the house; nothing of a guest that is gone, and of one kept for the law only nothing by the house."""
        read = vault.call("crm", "GET", f"/v1/guests/{self.id}", purpose="loyalty", expect=(200, 403, 410))
        paths = [field["path"] for field in FIELDS if field["path"] not in ("mrz", "photo_ref")]
        told = vault.call("compliance_officer/o-1", "POST", f"/v1/guests/{self.id}/reveal", {"fields": paths},
                          expect=(200, 410), headers=[("Vault-Reason", "the drill")])
        text = json.dumps(told, ensure_ascii=False).lower()
        full = {path for path, values in self.own.items() if all(value.lower() in text for value in values)}
        text += json.dumps(read, ensure_ascii=False).lower()
        return full, {path for path, values in self.own.items() if any(value.lower() in text for value in values)}
