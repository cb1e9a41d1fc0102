#!/usr/bin/env python3
"""Who is whom among N guests: how fast they are imported with resolution on, and how long look-ups and resolve take.

  tests/bench/identity.py [--records 20000] [--first 0] [--postgres] [--asks 500] [--binary target/release/guest-vault]
                          [--keep DIR]

Makes N records of invented people (one in five says somebody again, in another spelling or with another contact; couples
share phone and address), imports them as NDJSON by the command (`--first` so many before, without asking who is whom),
serves the vault, and asks one after the other, once warm.
Prints one line of JSON: records a second, latencies in milliseconds, resident memory, sizes on disk, guests made.
The random seed is fixed: two runs with one N import the same people.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from ratios import Postgres, run  # noqa: E402

HEADS = "Bel Cas Dor Fer Gan Hol Jan Kel Lam Mor Nor Pel Ros San Tor Var Wal Zim Bren Crad Dren Fros Glan Harn Ist Kor".split()
MIDDLES = "a e i o u ai ei io ander enber in orth ur asta elli ova inko amba erri onde".split()
TAILS = "man son berg ski ez ini ova dottir sen kov ley ford well ton wick er dal quist aud eau ard ier eira ado".split()
GIVEN = "Ana Rui Ines Hugo Ilse Kurt Nora Emil Lea Jonas Mia Paul Eva Omar Lina Yusuf Sara Ivan Olga Petr Ken Yui Aoi Ren Mei Bo Lars Maja Finn".split()
ENDS = "a o e i us en is el an ine ette ard o".split()
CHINESE = "Wang Li Zhang Liu Chen Yang Zhao Huang Zhou Wu Xu Sun Hu Zhu Gao Lin He Guo Ma Luo".split()
SYLLABLES = "xiao ming hua wei jing yan li fang na jun lei tao hui ying jie hong bo chen yu xin".split()
CITIES = [("Lisboa", "PT"), ("Porto", "PT"), ("Wien", "AT"), ("Lyon", "FR"), ("Graz", "AT"), ("Gent", "BE"), ("Turku", "FI"),
          ("Shanghai", "CN"), ("Chengdu", "CN"), ("Osaka", "JP"), ("Leeds", "GB"), ("Bergen", "NO"), ("Basel", "CH"), ("Brno", "CZ")]
DIAL = {"PT": "+351 9", "AT": "+43 664 ", "FR": "+33 6", "BE": "+32 47", "FI": "+358 40 ", "CN": "+86 13", "JP": "+81 90",
        "GB": "+44 79", "NO": "+47 9", "CH": "+41 79 ", "CZ": "+420 6"}
DIGITS = {"PT": 8, "AT": 7, "FR": 8, "BE": 7, "FI": 7, "CN": 9, "JP": 8, "GB": 8, "NO": 7, "CH": 7, "CZ": 8}
STREETS = "Rosengasse Hauptstrasse Rua Nova High Street Quai Vert Via Larga Parkweg Lindenallee Mill Lane Rue Haute".split()


def person(rng):
    city, country = rng.choice(CITIES)
    if country == "CN":
        surname, given = rng.choice(CHINESE), "".join(rng.sample(SYLLABLES, 2)).capitalize()
    else:
        surname = rng.choice(HEADS) + rng.choice(MIDDLES) + rng.choice(TAILS)
        given = rng.choice(GIVEN) + rng.choice(("", "", rng.choice(ENDS)))
    number = "".join(rng.choices("0123456789", k=DIGITS[country]))
    return {
        "surname": surname, "given": given, "country": country, "city": city, "phone": DIAL[country] + number,
        "email": f"{given}.{surname}{rng.randrange(10_000)}@mail{rng.randrange(40)}.example".lower(),
        "born": f"{rng.randrange(1935, 2006)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        "street": f"{rng.choice(STREETS)} {rng.randrange(1, 200)}", "postcode": f"{rng.randrange(10_000, 99_999)}",
        "passport": rng.choice("ABCDEFGH") + f"{rng.randrange(10_000_000, 99_999_999)}",
    }


def again(rng, known):
    """The same person, as another system writes it down."""
    who = dict(known)
    for change in rng.sample(("phone", "email", "typo", "case", "moved"), rng.randrange(1, 3)):
        if change == "phone":
            who["phone"] = person(rng)["phone"] if rng.random() < 0.3 else who["phone"]
        elif change == "email":
            who["email"] = person(rng)["email"]
        elif change == "typo" and len(who["surname"]) > 4:
            at = rng.randrange(1, len(who["surname"]) - 1)
            who["surname"] = who["surname"][:at] + who["surname"][at + 1:]
        elif change == "case":
            who["surname"], who["given"] = who["surname"].upper(), who["given"].upper()
        else:
            who["street"] = person(rng)["street"]
    return who


def partner(rng, known):
    """Somebody of the same household."""
    other = person(rng)
    return {**other, "surname": known["surname"], "phone": known["phone"], "street": known["street"], "city": known["city"],
            "postcode": known["postcode"], "country": known["country"]}


def document(rng, who, whole=True):
    guest = {"name": {"surname": who["surname"], "given": who["given"]}, "phones": [{"number": who["phone"]}]}
    if rng.random() < 0.8:
        guest["emails"] = [{"address": who["email"]}]
    if whole:
        guest["nationality"] = who["country"]
        guest["postal_addresses"] = [{"lines": [who["street"]], "city": who["city"], "postal_code": who["postcode"],
                                      "country": who["country"]}]
        if rng.random() < 0.7:
            guest["birth_date"] = who["born"]
        if rng.random() < 0.35:
            guest["id_documents"] = [{"type": "passport", "issuing_country": who["country"], "number": who["passport"]}]
    return guest


def generate(first, path, records):
    """Writes all records, the first of them into a file of their own."""
    rng, people = random.Random(20261122), []
    with open(path[0], "w", encoding="utf-8") as early, open(path[1], "w", encoding="utf-8") as late:
        for number in range(first + records):
            out = early if number < first else late
            chance = rng.random()
            if people and chance < 0.20:
                who = again(rng, rng.choice(people))
            elif people and chance < 0.30:
                who = partner(rng, rng.choice(people))
                people.append(who)
            else:
                who = person(rng)
                people.append(who)
            line = {"source_system": rng.choice(("pms", "web", "desk")), "source_id": f"S{number}", "provenance": "declared",
                    "property": "LIS01", "guest": document(rng, who)}
            if rng.random() < 0.5:
                line["stays"] = [{"reservation": f"R{number}", "arrival": "2026-11-20", "departure": "2026-11-25",
                                  "status": "checked_in"}]
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return people


def memory(pid, what="VmRSS"):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(what + r":\s+(\d+)", status).group(1)) // 1024


def disk(folder):
    return sum(file.stat().st_size for file in pathlib.Path(folder).rglob("*") if file.is_file()) // 2**20


class Vault:
    def __init__(self, binary, folder, postgres):
        self.binary, self.dir = str(pathlib.Path(binary).resolve()), pathlib.Path(folder, "vault")
        self.dir.mkdir()
        self.more = ["--data-dir", str(self.dir / "data")]
        if postgres:
            self.more += ["--database-url", postgres.url("vault"), "--keys-url", postgres.url("vault_keys")]
        (self.dir / "guest-vault.toml").write_text(
            '[[property]]\ncode = "GROUP"\nkind = "group"\n\n[[property]]\ncode = "LIS01"\nkind = "property"\nparent = "GROUP"\n'
            'region = "PT"\ntimezone = "Europe/Lisbon"\n')

    def command(self, *words):
        return [self.binary, *words, *self.more]

    def load(self, file, *more):
        begun = time.monotonic()
        with open(self.dir / "import.log", "wb") as log:
            process = subprocess.Popen(self.command("import", "--format", "ndjson", "--property", "LIS01", "--json", str(file), *more),
                                       cwd=self.dir, stdout=subprocess.PIPE, stderr=log)
            most = 0
            while process.poll() is None:
                try:
                    most = max(most, memory(process.pid, "VmHWM"))
                except (FileNotFoundError, AttributeError):
                    pass
                time.sleep(0.1)
        if process.returncode != 0:
            sys.exit((self.dir / "import.log").read_text())
        seconds = time.monotonic() - begun
        return seconds, most, json.loads(process.stdout.read())

    def serve(self):
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(self.command("serve", "--port", "0"), cwd=self.dir, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        while not (found := re.search(r"http://[\d.]+:\d+", (self.dir / "log").read_text())):
            if self.process.poll() is not None:
                sys.exit((self.dir / "log").read_text())
            time.sleep(0.02)
        self.at = urllib.parse.urlparse(found.group(0))

    def key(self, role):
        out = run(*self.command("principal", "create", "--role", role, "--property", "GROUP", "--name", "bench", "--json"),
                  cwd=self.dir)
        return json.loads(out)["key"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(600)

    def settle(self):
        """Waits until what the import left has its place in the log: that is work beside the answers."""
        headers = {"Authorization": f"Bearer {self.key('auditor')}", "Vault-Property": "GROUP", "Vault-Purpose": "internal_audit"}
        size, before = None, ()
        while size != before:
            before = size
            line = http.client.HTTPConnection(self.at.hostname, self.at.port)
            line.request("GET", "/v1/audit/log/checkpoint", headers=headers)
            answer = line.getresponse()
            text = answer.read()
            if answer.status != 200:
                sys.exit(f"checkpoint: {answer.status} {text[:300]}")
            size = int(text.split(b"\n")[1])
            time.sleep(2)


def ask(vault, keys, what, questions):
    """Latencies in milliseconds of questions asked one after the other on one connection, and how many found somebody."""
    line, times, found = http.client.HTTPConnection(vault.at.hostname, vault.at.port), [], 0
    for number, question in enumerate(questions):
        headers = {"Authorization": f"Bearer {keys[number % len(keys)]}", "Vault-Property": "LIS01",
                   "Vault-Purpose": "booking", "Content-Type": "application/json", "Vault-Actor": f"a{number // 20}"}
        body = json.dumps(question)
        begun = time.perf_counter()
        line.request("POST", what, body, headers)
        answer = line.getresponse()
        text = answer.read()
        times.append((time.perf_counter() - begun) * 1000)
        if answer.status != 200:
            sys.exit(f"{what}: {answer.status} {text[:300]}")
        found += bool(json.loads(text)["candidates"])
    times.sort()
    at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))], 2)
    return {"p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": at(1), "found": round(found / len(times), 3)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="records loaded before, with --resolve later")
    parser.add_argument("--asks", type=int, default=500)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--binary", default="target/release/guest-vault")
    parser.add_argument("--keep", help="keep the folder there")
    given = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="identity-bench.")
    os.chmod(folder, 0o755)
    postgres = Postgres(folder) if given.postgres else None
    try:
        vault = Vault(given.binary, folder, postgres)
        files = vault.dir / "first.ndjson", vault.dir / "people.ndjson"
        people = generate(given.first, files, given.records)
        first = vault.load(files[0], "--resolve", "later") if given.first else None
        if first:
            print(f"loaded {given.first} records in {first[0]:.0f} s", file=sys.stderr)
        seconds, most, told = vault.load(files[1])
        begun = time.monotonic()
        vault.serve()
        ready = time.monotonic() - begun
        vault.settle()
        keys = [vault.key("call_centre") for _ in range(4)]
        rng = random.Random(7)
        known = rng.sample(people, min(len(people), given.asks))
        strangers = [person(rng) for _ in range(given.asks // 5)]
        look = [{"by": {"phone": who["phone"]}} for who in known]
        resolve = [{"guest": document(rng, again(rng, who), whole=False)} for who in known]
        nobody = [{"guest": document(rng, who, whole=False)} for who in strangers]
        result = {
            "records": given.records, "database": "postgresql" if postgres else "sqlite", "cores": os.cpu_count(),
            "first": first and {"records": given.first, "seconds": round(first[0], 1), "memory_mb": first[1],
                                "records_per_second": round(given.first / first[0])},
            "ready_after_s": round(ready, 2),
            "import": {"seconds": round(seconds, 1), "records_per_second": round(given.records / seconds), "memory_mb": most,
                       "outcomes": told},
            "disk_mb": disk(postgres.dir if postgres else vault.dir / "data"),
        }
        ask(vault, keys, "/v1/resolve", resolve[:50])
        result["lookup_ms"] = ask(vault, keys, "/v1/lookups", look)
        result["resolve_ms"] = ask(vault, keys, "/v1/resolve", resolve)
        result["resolve_stranger_ms"] = ask(vault, keys, "/v1/resolve", nobody)
        result["serve_memory_mb"] = memory(vault.process.pid)
        vault.stop()
        print(json.dumps(result))
    finally:
        if postgres:
            postgres.stop()
        if given.keep:
            shutil.move(folder, given.keep)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
