"""How fast the console's pages answer in a large house, on SQLite.

    python3 tests/bench/pages.py BINARY [--guests 1000000] [--rows 10000000]

Starts a demonstration without guests, puts rows of guests, consents, requests, holds and log entries into its database
(made up, nothing sealed in them), waits until every entry has its index, signs in as the compliance officer and asks
for each page TURNS times. Prints the median and the worst; a median of 300 ms or more is a failure. Ten million entries
take about 7 GB below the folder for temporary files, and some twenty minutes. Nothing is left behind.
"""

import argparse
import http.cookiejar
import json
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import audit  # noqa: E402

TURNS, LIMIT = 7, 0.3
DAY = 86_400_000_000


def made_up(guests, now):
    """Rows by table. A consent and a half a guest, a request of a thousandth, a hold of a thousandth."""
    dice = random.Random(11)
    ids = [uuid.UUID(int=1_000_000 + n).bytes for n in range(guests)]
    by = uuid.UUID(int=5).bytes
    yield "guest", "guest_id, version, status, created_at, updated_at", (
        (one, 1, "active", now - dice.randrange(900 * DAY), now) for one in ids)
    purposes = ["marketing_direct", "event_invitation", "occasion_greeting", "profiling_value", "third_party:spa_partner"]

    def consents():
        for n in range(guests * 3 // 2):
            purpose = dice.choice(purposes)
            at = now - int(dice.expovariate(1 / (200 * DAY)))
            state = dice.choices(["given", "refused", "withdrawn", "objected"], [70, 18, 10, 2])[0]
            yield (ids[n % guests], uuid.UUID(int=(at // 1000) << 80 | 7 << 76 | 2 << 62 | n).bytes, purpose,
                   purpose.partition(":")[2], state, dice.choice(["web", "front_desk", "email"]), "checkbox", "LIS01", by, at)
    yield ("consent", "guest_id, consent_id, purpose, recipient, state, channel, indication, property, captured_by, at",
           consents())

    def requests():
        for n in range(guests // 1000):
            received = now - dice.randrange(60 * DAY)
            due = time.strftime("%Y-%m-%d", time.gmtime((received + 30 * DAY) / 1e6))
            state = dice.choices(["received", "done", "denied"], [20, 70, 10])[0]
            yield (uuid.UUID(int=(received // 1000) << 80 | 7 << 76 | 2 << 62 | n).bytes, dice.choice(ids),
                   dice.choice(["access", "erasure"]), "gdpr", state, "portal", "LIS01", received, due, 0, 0, by, 1, received)
    yield ("request", "request_id, guest_id, kind, regime, state, via, property, received_at, due_on, extended, stopped_days,"
           " opened_by, version, updated_at", requests())

    def holds():
        for n in range(guests // 1000):
            day = time.strftime("%Y-%m-%d", time.gmtime(now / 1e6 + (n % 300 - 30) * 86_400))
            yield dice.choice(ids), uuid.UUID(int=n).bytes, b"-", "legal_claim", "", day, by, now
    yield "hold", "guest_id, hold_id, matter, ground, categories, review_on, author, created_at", holds()


def fill(path, guests, rows):
    database = sqlite3.connect(path, timeout=60)
    database.execute("PRAGMA synchronous = OFF")
    now = time.time_ns() // 1000
    for table, columns, values in made_up(guests, now):
        marks = ", ".join("?" * len(columns.split(",")))
        with database:
            database.executemany(f"INSERT INTO \"{table}\" ({columns}) VALUES ({marks})", values)
    # Newest entries up to now, as the pages ask about the last days.
    shift = now - audit.START - rows * 2_600_000
    marks, batch = ", ".join("?" * 12), []

    def plain(row):
        entry, writer, sequence, at, guest, principal, *words, leaf = row
        leaf = json.loads(leaf)
        leaf["at"] = at + shift
        text = json.dumps(leaf, separators=(",", ":"), sort_keys=True).encode()
        bits = entry.int % (1 << 62) | ((at + shift) // 1000) << 80 | 7 << 76 | 2 << 62
        return [uuid.UUID(int=bits).bytes, writer.bytes, sequence, at + shift, guest.bytes, principal.bytes, *words, text]

    for row in audit.entries(rows):
        batch.append(plain(row))
        if len(batch) == 10_000:
            put(database, marks, batch)
    put(database, marks, batch)
    database.close()
    return uuid.UUID(int=1_000_000)


def put(database, marks, batch):
    with database:
        database.executemany(f"INSERT INTO audit_event ({audit.COLUMNS}) VALUES ({marks})", batch)
    batch.clear()


class Browser:
    """Cookies kept, redirects followed."""

    def __init__(self, url):
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def get(self, path, form=None):
        body = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self.url + path, body, {"Origin": self.url} if form else {})
        with self.opener.open(request, timeout=120) as answer:
            return answer.read().decode(), answer.url


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--guests", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [Path(arguments.binary).resolve(), "demo", "--json", "--port", "0", "--guests", "0", "--data-dir", folder / "demo"]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            told = json.loads(next(line for line in demo.stdout if line.startswith("{")))
            begun = time.monotonic()
            guest = fill(folder / "demo" / "vault.db", arguments.guests, arguments.rows)
            print(f"filled in {time.monotonic() - begun:.0f} s", flush=True)
            size = 0
            while size < arguments.rows:
                time.sleep(1)
                size = int(audit.ask(told["url"] + "/v1/audit/log/checkpoint", told["keys"]["auditor"]).split(b"\n")[1])
            print(f"all have their index after {time.monotonic() - begun:.0f} s", flush=True)
            slow = measure(told["url"], guest)
        finally:
            demo.terminate()
            demo.wait()
    sys.exit(1 if slow else 0)


def signed_in(url, role):
    browser = Browser(url)
    page, _ = browser.get("/console/sign-in")
    csrf = re.search(r'name="csrf" value="([^"]+)"', page).group(1)
    _, where = browser.get("/console/sign-in", {"csrf": csrf, "next": "/console", "role": role})
    if not where.endswith("/console"):
        sys.exit(f"not signed in: {where}")
    return browser


def measure(url, guest):
    browser, steward = signed_in(url, "compliance_officer"), signed_in(url, "crm")
    search, _ = browser.get("/console/audit")
    entry = re.search(r'href="(/console/audit/[0-9a-f-]{36})"', search).group(1)
    request = re.search(r'href="(/console/requests/[0-9a-f-]{36})"', browser.get("/console/requests")[0]).group(1)
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    pages = [
        "/console", "/console/requests", request, "/console/reviews", "/console/audit", "/console/audit?decision=denied",
        f"/console/audit?guest_id={guest}", "/console/audit?purpose=check_in", entry, "/console/why", "/console/consent",
        "/console/retention", "/console/disclosures", "/console/processing", "/console/exposure", "/console/log",
        f"/console/exposure?actor=u7&from={day}",
    ]
    slow = False
    for path in pages:
        taken = []
        for _ in range(TURNS):
            begun = time.perf_counter()
            (steward if path == "/console/reviews" else browser).get(path)
            taken.append(time.perf_counter() - begun)
        median = statistics.median(taken)
        slow |= median >= LIMIT
        name = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", path)
        print(f"{name:60}{median * 1000:8.0f} ms  worst {max(taken) * 1000:6.0f}{'   TOO SLOW' if median >= LIMIT else ''}", flush=True)
    return slow


if __name__ == "__main__":
    main()
