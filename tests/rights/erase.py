#!/usr/bin/env python3
"""Erases a tenth of many guests and looks for them everywhere, also after a restore (promise P8).

    erase.py --binary PROGRAM [--guests 1000] [--postgres]

Every guest has a value of its own in every field. Most of the erased go whole; of some a law keeps the register's copy,
some are held in part, some are in the house. Then: the calls, the rows, every byte of databases, write-ahead logs, key
store, log mirror, stderr, metrics, exports and of a backup taken afterwards: none of what had to go, all of what had to stay.
Then yesterday's backup comes back: with the present key store, with its own old one, by plain copies of the files, without
the log. Exit code 0 when all of it held; prints what was counted.
"""

import argparse
import base64
import collections
import json
import pathlib
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from array import array
from datetime import date, timedelta

from running import CATEGORY, MARKER, Guest, Vault, each, postgres, run

TODAY = date.today()
KINDS = ("whole", "register", "held", "in_house")
CODES = ("identity demographic contact document finance stay affiliation family preference health_belief free_text "
         "membership restriction feedback marketing consent audit statutory").split()
QUERIES = {
    "keys": ("keys", "SELECT lower(hex(guest_id)), category, lower(hex(wrapped)) FROM data_key",
             "SELECT replace(guest_id::text, '-', ''), category, encode(wrapped, 'hex') FROM data_key"),
    "values": ("data", "SELECT lower(hex(guest_id)), field, lower(hex(sealed)) FROM field_value",
               "SELECT replace(guest_id::text, '-', ''), field, encode(sealed, 'hex') FROM field_value"),
    "stays": ("data", "SELECT lower(hex(guest_id)), 'stay', lower(hex(sealed)) FROM stay "
              "UNION ALL SELECT lower(hex(guest_id)), 'stay', lower(hex(sealed)) FROM stay_word",
              "SELECT replace(guest_id::text, '-', ''), 'stay', encode(sealed, 'hex') FROM stay "
              "UNION ALL SELECT replace(guest_id::text, '-', ''), 'stay', encode(sealed, 'hex') FROM stay_word"),
    "tokens": ("data", "SELECT lower(hex(guest_id)), field, lower(hex(token)) FROM blind_index",
               "SELECT replace(guest_id::text, '-', ''), field, encode(token, 'hex') FROM blind_index"),
}


class Rows:
    """What lies in the databases, by guest and drawer."""

    def __init__(self, vault):
        self.all = {}
        for name, query in QUERIES.items():
            self.all[name] = collections.defaultdict(set)
            for guest, place, blob in vault.rows(*query):
                drawer = CODES[int(place) - 1] if name == "keys" else CATEGORY.get(place, place)
                self.all[name][guest, drawer].add(bytes.fromhex(blob))

    def of(self, name, guest, drawers=None):
        """All of a guest, or of some of its drawers."""
        guest = guest.id.replace("-", "")
        found = (blobs for (one, drawer), blobs in self.all[name].items()
                 if one == guest and (drawers is None or drawer in drawers))
        return set().union(*found)


def files(*roots):
    for root in map(pathlib.Path, roots):
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_file():
                yield path


def content(path):
    """What is in a file; nothing in one that a database removed meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def words_in(paths):
    """Files in which a guest's own words stand, however they are written."""
    needles = set()
    for text in (MARKER, MARKER.lower(), MARKER.upper()):
        raw = text.encode()
        needles |= {raw, raw.hex().encode(), text.encode("utf-16-le"), text.encode("utf-16-be"), raw[::-1]}
        for shift in range(3):
            whole = base64.b64encode(b"\0" * shift + raw)
            needles.add(whole[(shift * 8 + 5) // 6 : (shift + len(raw)) * 8 // 6])
    pattern = re.compile(b"|".join(map(re.escape, needles)))
    return [str(path) for path in paths if pattern.search(content(path))]


def blobs_in(blobs, paths):
    """Which of these blobs lie in the files, by eight of their random bytes at any place."""
    wanted = {int.from_bytes(blob[8:16], sys.byteorder): blob for blob in blobs}
    found = set()
    for path in paths:
        data = content(path)
        for shift in range(8):
            part = data[shift : shift + (len(data) - shift) // 8 * 8]
            found.update(wanted.keys() & set(array("Q", part)))
    return {wanted[number] for number in found}


class Drill:
    def __init__(self, vault, guests, told):
        self.vault, self.told = vault, told
        self.databases = told["databases"]
        tenth = guests // 10
        # Six in ten of the erased go whole.
        self.kinds = {n: (KINDS[n % 10 - 6] if n % 10 > 6 else "whole") for n in range(tenth)}
        self.guests = [Guest(n, "CN" if self.kinds.get(n) == "register" else "PT") for n in range(guests)]
        self.fates = {}

    def gone(self):
        return [g for g in self.guests if self.kinds.get(g.number) in ("whole", "register")]

    def partly(self):
        return [g for g in self.guests if self.kinds.get(g.number) in ("held", "in_house")]

    def others(self):
        return self.guests[len(self.kinds):]

    def fill(self):
        def put(guest):
            here = self.kinds.get(guest.number) == "in_house"
            stay = (TODAY - timedelta(1), TODAY + timedelta(3), "checked_in") if here else \
                (TODAY - timedelta(6), TODAY - timedelta(4), "checked_out")
            guest.put(self.vault, *stay)

        each(put, self.guests)
        assert len({g.id for g in self.guests}) == len(self.guests), "somebody was taken for another"
        self.before = dict(zip((g.id for g in self.guests), each(lambda g: g.readable(self.vault)[0], self.guests)))
        counts = sorted(len(paths) for paths in self.before.values())
        assert counts[0] > 40, f"only {counts[0]} fields of a guest are readable"
        self.told["fields_readable"] = counts[0]

    def erase(self, guest):
        if self.kinds[guest.number] == "held":
            hold = {"matter": "C-1/26", "ground": "legal_claim", "categories": ["contact"],
                    "review_on": str(TODAY + timedelta(90))}
            self.vault.call("compliance_officer/o-1", "POST", f"/v1/guests/{guest.id}/holds", hold)
        wanted = {"guest_id": guest.id, "type": "erasure", "regime": "gdpr", "received_via": "portal"}
        case = "/v1/requests/" + self.vault.call("front_desk/s-1", "POST", "/v1/requests", wanted)["request_id"]
        self.vault.call("compliance_officer/o-1", "POST", f"{case}/verify", {"result": "passed"})
        preview = self.vault.call("compliance_officer/o-1", "GET", f"{case}/preview")
        decision = {"decision": "approve", "preview": preview["fingerprint"]}
        done = self.vault.call("compliance_officer/o-2", "POST", f"{case}/decision", decision)
        assert done["state"] == ("done" if preview["whole"] else "waiting"), done
        assert preview["whole"] == (guest in self.gone()), preview
        self.fates[guest.id] = {fate["category"]: fate["fate"] for fate in preview["categories"]}

    def kept(self, guest):
        """The drawers of a partly erased guest that stay."""
        return {category for category, fate in self.fates[guest.id].items() if fate != "erase"} | {"audit"}

    def swept(self):
        """Until the vault says that its files are swept as well."""
        end = time.monotonic() + 240
        query = "SELECT count(*) FROM erasure WHERE stage <> 'swept'"
        while self.vault.rows("data", query)[0][0] != "0":
            assert time.monotonic() < end, "the files are not swept"
            time.sleep(1)

    def check_calls(self, registers=True):
        """What anybody gets to see: nothing of the gone, of the partly erased what is kept, of the others everything."""
        def look(guest):
            all_of, any_of = guest.readable(self.vault)
            if guest in self.gone():
                return guest, not any_of
            if guest in self.partly():
                left = {path for path in any_of if CATEGORY[path] not in self.kept(guest)}
                lost = {path for path in self.before[guest.id] - all_of if CATEGORY[path] in self.kept(guest)}
                return guest, not left and not lost
            return guest, self.before[guest.id] <= all_of

        wrong = [guest.number for guest, right in each(look, self.guests) if not right]
        assert not wrong, f"guests that read otherwise than they must: {wrong[:20]}"
        for guest in self.gone():
            if self.kinds[guest.number] == "register" and registers:
                entry = self.vault.call("compliance_officer/o-1", "GET", f"/v1/guests/{guest.id}/register",
                                        purpose="legal_retention")
                assert guest.own["name.surname"][0] in json.dumps(entry), "the register's copy is not there"

    def check_rows(self, rows, now):
        for guest in self.guests:
            for name in QUERIES:
                then = rows.of(name, guest)
                if guest in self.gone():
                    # The register's copy has a key of its own.
                    assert not now.of(name, guest, set(CODES) - {"statutory"}), f"{name} of an erased guest"
                elif guest in self.partly():
                    kept = self.kept(guest)
                    assert rows.of(name, guest, kept) <= now.of(name, guest), f"{name} that had to stay"
                    # Documents and the like are part of names in the index under one word.
                    assert not now.of(name, guest, set(CODES) - kept - {"statutory"}), f"{name} that had to go"
                else:
                    assert then == now.of(name, guest), f"{name} of somebody else changed"

    def doomed(self, rows, name):
        blobs = set()
        for guest in self.gone():
            blobs |= rows.of(name, guest)
        for guest in self.partly():
            blobs |= rows.of(name, guest, set(CODES) - self.kept(guest))
        return blobs

    def check_bytes(self, rows, roots):
        """No key of the erased in any file. Copies of their sealed values may be where rows were moved: they are counted."""
        keys, paths = self.doomed(rows, "keys"), list(files(*roots))
        assert len(keys) > 10 * len(self.gone())
        left = blobs_in(keys, paths)
        assert not left, f"{len(left)} of {len(keys)} destroyed keys lie in a file"
        staying = set().union(*(rows.of("keys", guest) for guest in self.others()))
        assert blobs_in(staying, paths) == staying, "the search does not find what is there"
        sealed = self.doomed(rows, "values") | self.doomed(rows, "stays")
        return f"{len(blobs_in(sealed, paths))} of {len(sealed)}"


def exports(vault):
    """All that the vault gives out about many guests at once, into a folder."""
    folder = vault.file("exports")
    folder.mkdir(exist_ok=True)
    headers = [("Authorization", "Bearer a-token-for-the-numbers-only")]
    (folder / "metrics").write_text(vault.call("crm", "GET", "/metrics", headers=headers))
    after, events = "", []
    while True:
        page = vault.call("compliance_officer/o-1", "GET", f"/v1/events?limit=200&after={after}" if after else "/v1/events")
        if not page["items"]:
            break
        events, after = events + page["items"], page["next_after"]
    assert len(events) > 100, "the feed is empty"
    (folder / "events").write_text(json.dumps(events))
    for form in ("ocsf", "cef"):
        (folder / form).write_text(vault.call("compliance_officer/o-1", "GET", f"/v1/audit/export?format={form}"))
    return folder


def restore(vault, backup, *more, ok=True, log="mirror"):
    arguments = ["restore", str(backup), "--identity", str(vault.file("identity")), "--replace", "--json", *more]
    if log:
        arguments += ["--log", str(vault.file(log))]
    return vault.command(*arguments, ok=ok, log=bool(log))


def fresh(folder):
    for path in folder.glob("*.replaced"):
        path.unlink()


def on_sqlite(drill, rows, first):
    vault = drill.vault
    data = vault.file("data")
    tenth, rest = len(drill.kinds), len(drill.guests) - len(drill.gone()) - len(drill.partly())
    refused = restore(vault, vault.file("b1"), ok=False, log=None)
    assert "log is not at hand" in refused.stderr, refused.stderr
    refused = restore(vault, vault.file("b1"), ok=False, log="old-mirror")
    drill.told["without_log"] = "refused"
    # Somebody lays yesterday's files where today's were.
    shutil.copytree(data, vault.file("today"))
    for name in ("vault.db", "keys.db"):
        shutil.copy(vault.file("raw", name), data / name)
    done = vault.command("serve", "--port", "0", ok=False)
    drill.told["plain_copies"] = "refused"
    assert "mirror" in done.stderr + done.stdout, done.stderr
    shutil.rmtree(data)
    shutil.copytree(vault.file("today"), data)
    for name, more in (("with the present key store", []), ("with its own old key store", ["--keys", f"{first}.keys"])):
        told = json.loads(restore(vault, first, *more).stdout)
        assert told["replayed"]["left"] == 0 and told["replayed"]["guests"] == tenth, told
        assert told["replayed"]["others"] == rest, told
        fresh(data)
        drill.check_bytes(rows, [data])
        lost = 0 if more else list(drill.kinds.values()).count("register")
        assert told["replayed"]["registers_lost"] == lost, told
        with vault.serving():
            drill.check_calls(registers=not lost)
        drill.told[f"restored_{name.replace(' ', '_')}"] = \
            f"0 of {tenth} readable beyond what is kept, {rest} of {rest} others, {told['values']} values open"
    # A backup that was taken afterwards holds nothing of them to begin with.
    second = vault.file("b2")
    told = json.loads(restore(vault, second, "--keys", f"{second}.keys").stdout)
    fresh(data)
    drill.check_bytes(rows, [data])
    assert told["replayed"]["erasures"] == 0, told
    drill.told["backup_of_afterwards"] = "nothing to erase again, no key of the erased in it"


def on_postgres(drill, rows, dumps):
    vault = drill.vault
    tenth, rest = len(drill.kinds), len(drill.guests) - len(drill.gone()) - len(drill.partly())
    for url, dump in zip(vault.urls, dumps):
        run(["pg_restore", "--clean", "--if-exists", "--single-transaction", "--dbname", url, dump])
    vault.command("serve", "--port", "0", ok=False)
    refused = vault.command("restore", "--in-place", ok=False, log=False)
    assert "log is not at hand" in refused.stderr, refused.stderr
    drill.told["without_log"] = drill.told["plain_copies"] = "refused"
    told = json.loads(vault.command("restore", "--in-place", "--log", str(vault.file("mirror")), "--json").stdout)
    assert told["replayed"]["left"] == 0 and told["replayed"]["guests"] == tenth, told
    assert told["replayed"]["others"] == rest, told
    with vault.serving():
        drill.check_calls()
    drill.told["restored_with_its_own_old_key_store"] = \
        f"0 of {tenth} readable beyond what is kept, {rest} of {rest} others, {told['values']} values open"


def copies(vault, name):
    """Backups as each database has them, and for SQLite plain copies of the files too."""
    if vault.urls:
        dumps = [str(vault.file(f"{name}.{store}")) for store in ("data", "keys")]
        for url, dump in zip(vault.urls, dumps):
            run(["pg_dump", "--format=custom", "--file", dump, url])
        return dumps
    raw = vault.file("raw")
    raw.mkdir(exist_ok=True)
    for database in ("vault.db", "keys.db"):
        source, target = sqlite3.connect(vault.file("data", database)), sqlite3.connect(raw / database)
        source.backup(target)
        source.close(), target.close()
    vault.command("backup", str(vault.file(name)))
    return str(vault.file(name))


def drill(vault, guests, databases):
    told = {"databases": databases}
    drill = Drill(vault, guests, told)
    vault.make_keys()
    begun = time.monotonic()
    with vault.serving():
        while not vault.file("mirror", "checkpoint").exists():
            assert time.monotonic() - begun < 60, "no mirror of the log"
            time.sleep(0.05)
        shutil.copytree(vault.file("mirror"), vault.file("old-mirror"))
        drill.fill()
        rows = Rows(vault)
        first = copies(vault, "b1")
        print(f"{guests:,} guests after {time.monotonic() - begun:.0f} s", flush=True)
        each(drill.erase, [g for g in drill.guests if g.number in drill.kinds])
        drill.swept()
        drill.check_calls()
        drill.check_rows(rows, Rows(vault))
        exported = exports(vault)
        second = copies(vault, "b2")
        print(f"{len(drill.kinds)} erased after {time.monotonic() - begun:.0f} s", flush=True)
        if databases:
            # Its write-ahead log keeps what was: docs/backup.md says for how long it may be kept.
            run(["psql", "-q", vault.urls[1], "-c", "CHECKPOINT"])
    roots = [databases / "base"] if databases else [vault.file("data")]
    told["keys_that_went"] = len(drill.doomed(rows, "keys"))
    told["sealed_values_without_a_key_left_in_files"] = drill.check_bytes(rows, roots)
    if databases:
        keys = drill.doomed(rows, "keys")
        left = blobs_in(keys, files(databases / "pg_wal"))
        told["of_these_in_the_write_ahead_log_for_as_long_as_it_is_kept"] = f"{len(left)} of {len(keys)}"
        roots = [databases]
    spoken = words_in(files(*roots, vault.file("mirror"), vault.file("stderr.log"), exported,
                            *map(pathlib.Path, second if databases else [second, f"{second}.keys"])))
    assert not spoken, f"personal data in clear: {spoken}"
    (on_postgres if databases else on_sqlite)(drill, rows, first)
    told.pop("databases")
    kinds = collections.Counter(drill.kinds.values())
    print(f"erased {len(drill.kinds)} of {guests:,} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())}) on "
          f"{'PostgreSQL' if databases else 'SQLite'}, {time.monotonic() - begun:.0f} s")
    for name, value in told.items():
        print(f"  {name.replace('_', ' ')}: {value if isinstance(value, (int, str)) else ', '.join(value)}")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--binary", required=True)
    options.add_argument("--guests", type=int, default=1000)
    options.add_argument("--postgres", action="store_true")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.postgres:
            with postgres() as (make, databases):
                drill(Vault(options.binary, folder, (make("data"), make("keys"))), options.guests, databases)
        else:
            drill(Vault(options.binary, folder), options.guests, None)


if __name__ == "__main__":
    main()
