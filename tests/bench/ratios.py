#!/usr/bin/env python3
"""Runs the baselines and the vault in turns and prints medians, ratios and what they have to reach."""

import datetime
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import sqlite3
import statistics
import string
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = min(9, int(os.environ.get("ROUNDS", "3")))
EACH = int(os.environ.get("SECONDS_EACH", "5"))
CONNECTIONS, GUESTS = 32, 200
FIELDS = (
    "name.surname,name.given,name.prefix,gender,birth_date,nationality,preferred_language,"
    "phones,emails,postal_addresses,id_documents,memberships"
)
INSERT = "INSERT INTO bench_row VALUES (gen_random_uuid(), decode(repeat('ab', 1500), 'hex'));\n"


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout


class Postgres:
    """A cluster with the durability of production, on a UNIX socket."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder, "pg")
        self.dir.mkdir()
        self.user = {}
        if os.getuid() == 0:
            who = pwd.getpwnam("postgres")
            os.chmod(folder, 0o755)
            os.chown(self.dir, who.pw_uid, who.pw_gid)
            self.user = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
        data = self.dir / "data"
        run("initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-locale", cwd="/", **self.user)
        options = ["listen_addresses=", f"unix_socket_directories={self.dir}", "shared_buffers=256MB", "max_connections=200"]
        flags = [flag for option in options for flag in ("-c", option)]
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["postgres", "-D", str(data), *flags], cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.user
            )
        while subprocess.run(["pg_isready", "-q", "-h", self.dir, "-U", "bench"], check=False).returncode != 0:
            if self.process.poll() is not None:
                sys.exit((self.dir / "log").read_text())
            time.sleep(0.05)
        for name in ("plain", "vault", "vault_keys", "quiet", "quiet_keys"):
            run("createdb", "-h", self.dir, "-U", "bench", name)
        run("pgbench", "-q", "-i", "-s", "10", "-h", self.dir, "-U", "bench", "plain")
        run("psql", "-h", self.dir, "-U", "bench", "plain", "-c", "CREATE TABLE bench_row (id uuid PRIMARY KEY, body bytea)")
        self.insert = self.dir.parent / "insert.sql"
        self.insert.write_text(INSERT)

    def url(self, name):
        return f"postgres:///{name}?host={self.dir}&user=bench"

    def bench(self, *what):
        out = run(
            "pgbench", "-n", "-M", "prepared", "-c", CONNECTIONS, "-j", "2", "-T", EACH,
            "-h", self.dir, "-U", "bench", *what, "plain",
        )
        return {"rate": float(re.search(r"tps = ([\d.]+) \(without", out).group(1))}

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


class Vault:
    """A demo of the release binary, with guests of twelve fields who are in the house."""

    def __init__(self, binary, folder, name, postgres=None):
        self.postgres, self.database = postgres, name
        more = ["--database-url", postgres.url(name), "--keys-url", postgres.url(name + "_keys")] if postgres else []
        self.dir = pathlib.Path(folder, name)
        self.dir.mkdir()
        begun = time.monotonic()
        out = self.dir / "demo.json"
        with open(out, "wb") as stdout, open(self.dir / "log", "wb") as stderr:
            self.process = subprocess.Popen(
                [binary, "demo", "--json", "--port", "0", "--guests", "0", "--data-dir", self.dir / "data", *more],
                cwd=self.dir, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            )
        while not out.read_text().endswith("\n"):
            if self.process.poll() is not None:
                sys.exit((self.dir / "log").read_text())
            time.sleep(0.005)
        self.start_seconds = time.monotonic() - begun
        demo = json.loads(out.read_text())
        self.url, self.keys = demo["url"], demo["keys"]
        self.rest_mb = self.memory()
        self.paths = self.dir / "paths"
        self.paths.write_text("".join(f"/v1/guests/{self.put(n)}?fields={FIELDS}\n" for n in range(GUESTS)))
        self.check()

    def memory(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def headers(self, role, purpose):
        return {
            "Authorization": f"Bearer {self.keys[role]}", "Vault-Property": "LIS01", "Vault-Purpose": purpose,
            "Content-Type": "application/json",
        }

    def call(self, role, purpose, method, path, body=None):
        request = urllib.request.Request(self.url + path, body, self.headers(role, purpose), method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def put(self, n):
        today = datetime.date.today()
        body = re.search(r"BODY = \[\[(.*?)\]\]", (HERE / "load.lua").read_text(), re.S).group(1)
        word = lambda: "".join(random.choices(string.ascii_lowercase, k=9))
        day = datetime.date(1930, 1, 1) + datetime.timedelta(random.randrange(25_000))
        for mark, value in {"@ID@": f"0{n:06}", "@SURNAME@": word(), "@GIVEN@": word(), "@DAY@": str(day)}.items():
            body = body.replace(mark, value)
        record = json.loads(body)
        record["stays"] = [{
            "reservation": f"B{n}", "arrival": str(today - datetime.timedelta(1)),
            "departure": str(today + datetime.timedelta(2)), "status": "checked_in",
        }]
        answer = self.call("integration", "booking", "PUT", f"/v1/records/bench/0{n:06}", json.dumps(record).encode())
        if answer["rejected"]:
            sys.exit(f"a value of the load is refused: {answer['rejected']}")
        return answer["guest_id"]

    def check(self):
        """The load must be what it is said to be: twelve fields in the answer, all of them with a value."""
        path = self.paths.read_text().splitlines()[0]
        fields = self.call("front_desk", "check_in", "GET", path)["fields"]
        empty = [name for name, field in fields.items() if "value" not in field]
        if len(fields) != 12 or empty:
            sys.exit(f"not a read of 12 fields: {len(fields)}, without a value: {empty}")

    def wrk(self, *arguments, path="/", role="front_desk", purpose="check_in", script=True):
        lua = ["-s", HERE / "load.lua"] if script else []
        headers = [x for name, value in self.headers(role, purpose).items() for x in ("-H", f"{name}: {value}")]
        out = run("wrk", "-t2", f"-c{CONNECTIONS}", f"-d{EACH}s", "--latency", *lua, *headers, self.url + path, "--", *arguments)
        if "Non-2xx" in out or "Socket errors" in out:
            sys.exit(f"not every request succeeded:\n{out}")
        number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", out).groups()
        return {
            "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
            "p99": float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
            "memory": self.memory(),
        }

    def hello(self):
        return self.wrk(path="/healthz", script=False)

    def read(self, rate=None):
        """As fast as it goes; or about `rate` a second, by pausing between the requests of a connection."""
        return self.wrk("paths", self.paths, 1000 * CONNECTIONS / rate if rate else 0)

    def lag(self):
        """How far the signed checkpoint is behind the entries while reads come as fast as they can: seconds, p99."""
        seen, done = [], threading.Event()

        def look():
            while not done.is_set():
                request = urllib.request.Request(self.url + "/v1/audit/log/checkpoint", headers=self.headers("auditor", "internal_audit"))
                with urllib.request.urlopen(request) as answer:
                    seen.append((int(answer.read().split(b"\n")[1]), time.time()))
                done.wait(0.05)

        looker = threading.Thread(target=look)
        looker.start()
        reads = self.read()["rate"]
        time.sleep(3)
        done.set()
        looker.join()
        first = seen[0][0]
        times = self.entries_since(first)
        lags, upto = [], 0
        for at, index in enumerate(range(first, first + len(times))):
            while upto < len(seen) and seen[upto][0] <= index:
                upto += 1
            if upto < len(seen):
                lags.append(seen[upto][1] - times[at] / 1e6)
        lags.sort()
        return {"rate": reads, "lag": lags[len(lags) * 99 // 100], "entries": len(lags)}

    def entries_since(self, first):
        """When each entry from an index on was made, in microseconds, in the order of the log."""
        sql = ("SELECT e.at FROM log_entry l JOIN audit_event e ON e.entry_id = l.entry_id "
               f"WHERE l.log_index >= {first} ORDER BY l.log_index")
        if self.postgres:
            out = run("psql", "-qAtX", "-h", self.postgres.dir, "-U", "bench", self.database, "-c", sql)
            return [int(line) for line in out.split()]
        with sqlite3.connect(self.dir / "data" / "vault.db") as database:
            return [at for at, in database.execute(sql)]

    def write(self, run_number):
        return self.wrk("records", 1 + run_number % 9, 0, role="integration", purpose="booking")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60) != 0:
            sys.exit((self.dir / "log").read_text())


def median(results, key="rate"):
    return statistics.median(result[key] for result in results)


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    folder = tempfile.mkdtemp(prefix="vault-bench-")
    parts = []
    try:
        pg = Postgres(folder)
        parts.append(pg)
        vaults = {"SQLite": Vault(binary, folder, "sqlite")}
        parts.append(vaults["SQLite"])
        vaults["PostgreSQL"] = Vault(binary, folder, "vault", pg)
        parts.append(vaults["PostgreSQL"])
        unrecorded = {}
        if os.environ.get("UNRECORDED"):
            other = pathlib.Path(os.environ["UNRECORDED"]).resolve()
            unrecorded = {"SQLite": Vault(other, folder, "sqlite-quiet")}
            parts.append(unrecorded["SQLite"])
            unrecorded["PostgreSQL"] = Vault(other, folder, "quiet", pg)
            parts.append(unrecorded["PostgreSQL"])
        measure(pg, vaults, unrecorded)
    finally:
        for part in reversed(parts):
            if part.process.poll() is None:
                part.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(pg, vaults, unrecorded):
    found = {}

    def note(name, result):
        found.setdefault(name, []).append(result)

    for turn in range(ROUNDS):
        note("pgbench select", pg.bench("-S"))
        note("pgbench insert of 1.5 KB", pg.bench("-f", pg.insert))
        note("hello (/healthz)", vaults["SQLite"].hello())
        for name, vault in vaults.items():
            note(f"read of 12 fields, {name}", vault.read())
            note(f"write of a record, {name}", vault.write(turn))
            if name in unrecorded:
                note(f"read without its record, {name}", unrecorded[name].read())
    for name, vault in vaults.items():
        half = median(found[f"read of 12 fields, {name}"]) / 2
        note(f"read at half that load, {name}", vault.read(half))
    lags = {name: vault.lag() for name, vault in vaults.items()}

    print(f"\nmedians of {ROUNDS} rounds of {EACH} s, {CONNECTIONS} connections, {os.cpu_count()} cores\n")
    print(f"{'':34}{'a second':>12}{'p99 ms':>10}")
    for name, results in found.items():
        p99 = f"{median(results, 'p99'):.1f}" if "p99" in results[0] else ""
        print(f"{name:34}{median(results):12,.0f}{p99:>10}")

    rate = lambda name: median(found[name])
    memory = max(r["memory"] for name, rs in found.items() if "SQLite" in name for r in rs)
    rows = [
        ("read, PostgreSQL ÷ pgbench select", rate("read of 12 fields, PostgreSQL") / rate("pgbench select"), 0.50, 0.80, False),
        ("read, SQLite ÷ hello", rate("read of 12 fields, SQLite") / rate("hello (/healthz)"), 0.12, 0.25, False),
        ("write, PostgreSQL ÷ pgbench insert", rate("write of a record, PostgreSQL") / rate("pgbench insert of 1.5 KB"), 0.35, 0.60, False),
        ("p99 ms at half load, PostgreSQL", median(found["read at half that load, PostgreSQL"], "p99"), 10, 5, True),
        ("p99 ms at half load, SQLite", median(found["read at half that load, SQLite"], "p99"), 10, 5, True),
        ("MB at rest, SQLite", vaults["SQLite"].rest_mb, 60, 30, True),
        ("MB under load, SQLite", memory, 150, 80, True),
    ]
    for name, lag in lags.items():
        rows.append((f"checkpoint behind, s, p99, {name}", lag["lag"], 2, 1, True))
        rows.append((f"records a second, {name}", lag["rate"], 5000, 20000, False))
    for name in unrecorded:
        ratio = rate(f"read of 12 fields, {name}") / rate(f"read without its record, {name}")
        rows.append((f"recorded ÷ unrecorded, {name}", ratio, 0.70, 0.85, False))
    print(f"\n{'':34}{'measured':>12}{'to reach':>10}{'aim':>8}")
    for name, value, floor, aim, smaller in rows:
        reached = value <= floor if smaller else value >= floor
        print(f"{name:34}{value:12.2f}{floor:10}{aim:8}  {'reached' if reached else 'NOT REACHED'}")
    print(f"\nstart until ready, empty: SQLite {vaults['SQLite'].start_seconds:.2f} s")


if __name__ == "__main__":
    main()
