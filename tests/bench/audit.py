"""The audit log at scale: generated, sequenced, searched, and asked after a breach.

    python3 tests/bench/audit.py plans [--rows 1000000]            # searches on SQLite and PostgreSQL, with their plans
    python3 tests/bench/audit.py drill BINARY [--rows 1000000]     # a breach: 1,337 guests seen by one stolen key

`plans` fills a scratch database of each kind with entries, made inside the database so that ten million of them are a
matter of minutes, and times the searches of GET /v1/audit/entries as the vault writes them; a search that reads a whole
table, or takes longer than 100 ms, is a failure. `drill` puts entries into the
database of a vault that does not run, among them reads of 1,337 guests by one principal; starts the vault, which gives
them their index; asks POST /v1/audit/exposure for the principal, and checks that the answer is exact. It also tells how
many entries a second were sequenced and signed, and how long `audit verify` takes. Nothing is left behind.
"""

import argparse
import glob
import hashlib
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START = 1_700_000_000_000_000
PURPOSES = ["stay_service"] * 60 + ["check_in"] * 25 + ["booking"] * 12 + ["complaint_handling", "subject_request", "audit"]
GUESTS, PRINCIPALS, ACTORS = 100_000, 40, 400
TURNS = 5
THIEF, TOUCHED = uuid.UUID(int=0xBAD), 1_337
COLUMNS = "entry_id, writer, writer_seq, at, guest_id, principal, actor, property, purpose, action, decision, leaf"


def entries(rows, thief=False):
    """Rows of audit_event. With a thief, the last guests of the list are seen by it, some of them twice."""
    dice = random.Random(7)
    writer, seen = uuid.UUID(int=1), []
    touched = dice.sample(range(GUESTS), TOUCHED)
    stolen = dice.sample(touched, TOUCHED) + dice.choices(touched, k=TOUCHED)
    at_row = set(dice.sample(range(rows), len(stolen))) if thief else set()
    for n in range(rows):
        at = START + n * 2_600_000
        guest = dice.randrange(GUESTS)
        principal, actor = uuid.UUID(int=100 + dice.randrange(PRINCIPALS)), f"u{dice.randrange(ACTORS)}"
        decision = "denied" if dice.random() < 0.01 else "permitted"
        if n in at_row:
            guest, principal, decision = stolen.pop(), THIEF, "permitted"
            seen.append(guest)
        purpose, house = dice.choice(PURPOSES), f"H{dice.randrange(50):02}"
        fields = {"name.surname": "plain", "phones": "masked"} if decision == "permitted" else {}
        leaf = {
            "act": "read", "actor": actor, "at": at, "credential": "api_key", "decision": decision, "fields": fields,
            "policy": "0123456789abcdef", "principal": str(principal), "property": house, "purpose": purpose,
            "request": str(uuid.UUID(int=n)), "role": "front_desk", "rules": ["rules.csv:62"], "seq": n + 1,
            "subject": hashlib.sha256(b"%d" % guest).hexdigest()[:32], "v": 1, "writer": str(writer),
        }
        if not fields:
            del leaf["fields"]
        text = json.dumps(leaf, separators=(",", ":"), sort_keys=True)
        entry = uuid.UUID(int=(at // 1000) << 80 | 7 << 76 | 2 << 62 | n)
        yield (entry, writer, n + 1, at, uuid.UUID(int=1_000_000 + guest), principal, actor, house, purpose, "read",
               decision, text)
    if thief:
        assert len(set(seen)) == TOUCHED, "every guest of the list was touched"


def fill_sqlite(path, rows, thief=False):
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")
    marks = ", ".join("?" * 12)

    def plain(row):
        return [v.bytes if isinstance(v, uuid.UUID) else v for v in row[:-1]] + [row[-1].encode()]

    database.executemany(f"INSERT INTO audit_event ({COLUMNS}) VALUES ({marks})", map(plain, entries(rows, thief)))
    database.commit()
    return database


def migrations(kind):
    return [Path(f).read_text() for f in sorted(glob.glob(str(ROOT / "migrations" / kind / "[0-9]*.sql")))]


def searches(rows):
    """The searches as src/audit/sql/find.rs writes them, newest first, 51 rows. {…} are values."""
    middle = START + rows // 2 * 2_600_000
    rare = "{purpose:subject_request}"
    return {
        "guest": "e.guest_id = {guest}",
        "guest and purpose": "e.guest_id = {guest} AND coalesce(e.purpose, '') = " + rare,
        "actor": "e.actor = {actor}",
        "actor and purpose": "e.actor = {actor} AND coalesce(e.purpose, '') = " + rare,
        "principal, a week": f"e.principal = {{principal}} AND e.at >= {middle} AND e.at < {middle + 604_800_000_000}",
        "rare purpose": "e.purpose = " + rare,
        "denied": "e.decision = 'denied'",
        "denied of a guest": "e.guest_id = {guest} AND coalesce(e.decision, '') = {text:denied}",
        "an hour": f"e.at >= {middle} AND e.at < {middle + 3_600_000_000}",
        "a house, an hour": f"e.property = {{house}} AND e.at >= {middle} AND e.at < {middle + 3_600_000_000}",
        "all": "1 = 1",
    }


SELECT = ("SELECT e.entry_id, e.writer, e.guest_id, e.at, e.leaf, l.log_index FROM audit_event e "
          "LEFT JOIN log_entry l ON l.entry_id = e.entry_id WHERE {} ORDER BY e.at DESC, e.entry_id DESC LIMIT 51")
VALUES = {"guest": uuid.UUID(int=1_000_000 + 17), "actor": "u17", "principal": uuid.UUID(int=107), "house": "H17"}


def spelt(where, identifier):
    for name, value in VALUES.items():
        where = where.replace("{" + name + "}", identifier(value) if isinstance(value, uuid.UUID) else f"'{value}'")
    return where.replace("{purpose:subject_request}", "'subject_request'").replace("{text:denied}", "'denied'")


def told(kind, name, seconds, whole, found):
    bad = whole or seconds > 0.1
    print(f"{kind:9} {name:22} {seconds * 1000:8.2f} ms {found:3} rows {'READS THE WHOLE TABLE' if whole else ''}{' FAILED' if bad else ''}")
    return bad


def picked(words, dice):
    """SQL for one of the words, by a whole number from 0."""
    return "CASE " + " ".join(f"WHEN {dice} < {n} THEN '{w}'" for n, w in enumerate(words[:-1], 1)) + f" ELSE '{words[-1]}' END"


# One row of the made-up log as SQL: {n} its number, {r1} … whole random numbers that are not negative.
LEAF = ("{{\"act\":\"read\",\"actor\":\"u' || {actor} || '\",\"at\":' || {at} || ',\"credential\":\"api_key\",\"decision\":\"' || {decision} || "
        "'\",\"fields\":{{\"name.surname\":\"plain\",\"phones\":\"masked\"}},\"policy\":\"0123456789abcdef\",\"principal\":"
        "\"00000000-0000-0000-0000-000000000064\",\"purpose\":\"' || {purpose} || '\",\"seq\":' || {n} || ',\"v\":1}}")

# All of them have their index already.
LOGGED = "INSERT INTO log_entry (log_index, entry_id) SELECT writer_seq - 1, entry_id FROM audit_event"


def plans_sqlite(folder, rows):
    path = folder / "plans.db"
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000;")
    for statement in migrations("sqlite"):
        database.execute(statement)
    indexes = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'audit_event' "
                               "AND sql IS NOT NULL").fetchall()
    for name, _ in indexes:
        database.execute(f"DROP INDEX {name}")
    begun = time.perf_counter()
    dice = lambda most: f"abs(random() % {most})"
    leaf = LEAF.format(actor="a", at="at", decision="d", purpose="p", n="n")
    blob = lambda number: f"CAST(printf('%016d', {number}) AS BLOB)"
    database.execute(f"""
        INSERT INTO audit_event ({COLUMNS})
        WITH RECURSIVE rows(n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM rows WHERE n + 1 < {rows}),
             made AS MATERIALIZED (SELECT n, {START} + n * 2600000 AS at, {dice(GUESTS)} AS g, {dice(PRINCIPALS)} AS pr,
                                          {dice(ACTORS)} AS a, {dice(100)} AS pp, {dice(50)} AS h, {dice(100)} AS dd FROM rows),
             told AS (SELECT *, {picked(PURPOSES, 'pp')} AS p, CASE WHEN dd = 0 THEN 'denied' ELSE 'permitted' END AS d
                      FROM made)
        SELECT {blob('n')}, {blob(1)}, n + 1, at, {blob('1000000 + g')}, {blob('100 + pr')}, 'u' || a, printf('H%02d', h), p,
               'read', d, CAST('{leaf}' AS BLOB) FROM told""")
    database.execute(LOGGED)
    database.commit()
    for _, sql in indexes:
        database.execute(sql)
    database.commit()
    database.close()
    database, bad = sqlite3.connect(path), False
    print(f"SQLite: {rows:,} entries made in {time.perf_counter() - begun:.0f} s, {path.stat().st_size / 2**30:.1f} GiB")
    for name, where in searches(rows).items():
        sql = SELECT.format(spelt(where, lambda v: blob(v.int)))
        plan = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + sql)]
        whole = any(step.startswith("SCAN e") and "INDEX" not in step or "TEMP B-TREE" in step for step in plan)
        begun = time.perf_counter()
        found = len(database.execute(sql).fetchall())
        bad |= told("SQLite", name, time.perf_counter() - begun, whole, found)
    database.close()
    path.unlink()
    return bad


def plans_postgres(folder, rows):
    import pwd
    bins = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not bins:
        print("PostgreSQL is not installed: skipped")
        return False
    home = folder / "home"
    place = home / "pg"
    place.mkdir(parents=True)
    owner = {}
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(home, account.pw_uid, account.pw_gid)
        os.chown(place, account.pw_uid, account.pw_gid)
        os.chmod(folder, 0o755)
        owner = {"user": account.pw_uid, "group": account.pw_gid}
    environment = dict(os.environ, PATH=bins[-1] + ":" + os.environ["PATH"])
    server = subprocess.Popen(["sh", str(ROOT / "tests/support/pg.sh"), str(place)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=environment, cwd="/", **owner)
    try:
        assert server.stdout.readline() == b"ready\n"
        call = ["psql", "-h", str(place), "-U", "test", "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1"]
        run = lambda sql: subprocess.run(call, input=sql, text=True, check=True, capture_output=True, env=environment).stdout
        run("".join(statement.rstrip().rstrip(";") + ";\n" for statement in migrations("postgres")))
        indexes = [line.split("\t") for line in run(
            "SELECT indexname || E'\\t' || indexdef FROM pg_indexes WHERE tablename = 'audit_event' AND indexdef NOT LIKE "
            "'CREATE UNIQUE%'").splitlines()]
        run("".join(f"DROP INDEX {name};" for name, _ in indexes))
        begun = time.perf_counter()
        dice = lambda most: f"floor(random() * {most})::bigint"
        leaf = LEAF.format(actor="a", at="at", decision="d", purpose="p", n="n")
        number = lambda value: f"lpad(to_hex({value}), 32, '0')::uuid"
        run(f"""
            INSERT INTO audit_event ({COLUMNS})
            SELECT {number('n')}, {number('1::bigint')}, n + 1, at, {number('1000000 + g')}, {number('100 + pr')}, 'u' || a,
                   'H' || lpad(h::text, 2, '0'), p, 'read', d, convert_to('{leaf}', 'UTF8')
            FROM (SELECT *, {picked(PURPOSES, 'pp')} AS p, CASE WHEN dd = 0 THEN 'denied' ELSE 'permitted' END AS d
                  FROM (SELECT n, {START} + n * 2600000 AS at, {dice(GUESTS)} AS g, {dice(PRINCIPALS)} AS pr,
                               {dice(ACTORS)} AS a, {dice(100)} AS pp, {dice(50)} AS h, {dice(100)} AS dd
                        FROM generate_series(0::bigint, {rows - 1}) n) made) told""")
        run(LOGGED)
        run("SET maintenance_work_mem = '512MB';" + "".join(f"{sql};" for _, sql in indexes))
        run("VACUUM ANALYZE audit_event, log_entry")
        size = run("SELECT pg_size_pretty(pg_total_relation_size('audit_event'))").strip()
        print(f"PostgreSQL: {rows:,} entries made in {time.perf_counter() - begun:.0f} s, {size}")
        bad = False
        for name, where in searches(rows).items():
            sql = SELECT.format(spelt(where, lambda v: f"'{v}'::uuid"))
            run(sql)
            plan = json.loads(run("EXPLAIN (ANALYZE, FORMAT JSON) " + sql))[0]
            whole = '"Seq Scan", "Parallel Aware"' in json.dumps(plan) and '"Relation Name": "audit_event"' in json.dumps(
                [p for p in nodes(plan["Plan"]) if p["Node Type"] == "Seq Scan"])
            bad |= told("Postgres", name, plan["Execution Time"] / 1000, whole, int(plan["Plan"]["Actual Rows"]))
        return bad
    finally:
        server.stdin.close()
        server.wait()


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def ask(url, key, body=None):
    request = urllib.request.Request(url, data=body and json.dumps(body).encode(), headers={
        "Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def drill(folder, binary, rows):
    vault = lambda *arguments: subprocess.run([binary, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    made = vault("principal", "create", "--name", "auditor", "--role", "auditor", "--property", "GROUP", "--json")
    key = json.loads(made.stdout.splitlines()[-1])["key"]
    begun = time.perf_counter()
    fill_sqlite(folder / "vault-data" / "vault.db", rows, thief=True).close()
    print(f"{rows:,} entries put into the database in {time.perf_counter() - begun:.0f} s")
    server = subprocess.Popen([binary, "serve", "--json", "--port", "0"], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        line = next(line for line in server.stdout if line.startswith("{"))
        url = json.loads(line)["url"]
        begun, size = time.perf_counter(), 0
        while size < rows:
            time.sleep(0.2)
            size = int(ask(url + "/v1/audit/log/checkpoint", key).split(b"\n")[1])
        took = time.perf_counter() - begun
        print(f"sequenced and signed: {rows / took:,.0f} entries/s")
        question = {"credential": str(THIEF), "from": "2023-01-01T00:00:00Z", "to": "2200-01-01T00:00:00Z"}
        begun = time.perf_counter()
        answer = json.loads(ask(url + "/v1/audit/exposure", key, question))
        took = time.perf_counter() - begun
        found = {one["guest_id"] for one in answer["exposed"]}
        expected = {str(row[4]) for row in entries(rows, True) if row[5] == THIEF}
        exact = found == expected and answer["guests"] == TOUCHED and answer["disclosures"] == 2 * TOUCHED
        print(f"exposure: {answer['guests']:,} guests, {answer['disclosures']:,} disclosures in {took:.2f} s,",
              "exact" if exact else "NOT EXACT")
        size, proof = answer["log"]["indexes"], answer["log"]["receipts"]
        print(f"leaves {size[0]:,} to {size[1]:,}, {len(proof)} receipts")
    finally:
        server.terminate()
        server.wait()
    mirrored = time.perf_counter()
    vault("audit", "mirror", "mirror")
    begun = time.perf_counter()
    print(f"mirrored in {begun - mirrored:.1f} s")
    vkey = vault("audit", "vkey").stdout.splitlines()[-1]
    verifiers = {"the vault": [binary, "audit", "verify", "--dir", "mirror", "--vkey", vkey]}
    verifiers.update(("Go", [tool, *arguments]) for tool, arguments in go(folder, vkey))
    taken = {name: [] for name in verifiers}
    for _ in range(TURNS):
        for name, command in verifiers.items():
            begun = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            taken[name].append(time.perf_counter() - begun)
    for name, seconds in taken.items():
        print(f"verified by {name} in {statistics.median(seconds):.2f} s (median of {TURNS} turns)")
    return not exact or took > 60


def go(folder, vkey):
    """Go's packages, where Debian has them."""
    packages = Path("/usr/share/gocode")
    if not (packages / "src/golang.org/x/mod/sumdb/tlog").exists():
        return
    tool = folder / "verify"
    environment = dict(os.environ, GO111MODULE="off", GOPATH=str(packages), GOFLAGS="", GOCACHE=str(folder / "cache"))
    subprocess.run(["go", "build", "-o", tool, ROOT / "tests/go/verify.go"], check=True, env=environment)
    yield tool, [folder / "mirror", vkey, folder / "mirror/checkpoint"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["plans", "drill"])
    parser.add_argument("binary", nargs="?")
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.what == "plans":
            bad = plans_sqlite(folder, arguments.rows)
            bad |= plans_postgres(folder, arguments.rows)
        else:
            bad = drill(folder, str(Path(arguments.binary).resolve()), arguments.rows)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
