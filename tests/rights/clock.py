#!/usr/bin/env python3
"""Moves the real program's clock by libfaketime: nothing is gone before its minimum, nothing is readable after its maximum.

    clock.py --binary PROGRAM

A guest stayed in Portugal; a hotel's own rules set a minimum and maxima on drawers, the shipped ones on the register, the
catalogue on fields. The vault is started at noon of the day before each date and of the day itself, once with runs switched
off (what a look shows by itself), once with runs (what is gone) and once with runs that wait for a second person who never
comes (what is not shown though it is there), and asked what is shown and what is there. The dates stand
below, worked out by hand. Exit code 0 when every answer is as expected; 1 otherwise, or when libfaketime is not installed.
"""

import argparse
import glob
import json
import shutil
import sys
import tempfile
import time
from datetime import date, timedelta

from running import ROOT, WAIT_SECONDS, Guest, Vault

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)

RULES = """
[[rule]]
id = "drop-contact"
country = "PT"
compartment = "categories"
categories = ["contact"]
guests = "all"
trigger = "departure"
max = { count = 90, unit = "days" }
source = "of this drill"
as_of = "2026-01-01"
confidence = "low"

[[rule]]
id = "keep-tax"
country = "PT"
compartment = "categories"
categories = ["finance"]
guests = "all"
trigger = "departure"
min = { count = 60, unit = "days" }
source = "of this drill"
as_of = "2026-01-01"
confidence = "low"

[[rule]]
id = "drop-affiliation-abroad"
country = "PT"
compartment = "categories"
categories = ["affiliation"]
guests = "foreign"
trigger = "departure"
max = { count = 40, unit = "days" }
source = "of this drill"
as_of = "2026-01-01"
confidence = "low"
"""

ARRIVAL, DEPARTURE, WRITTEN = "2027-01-08", "2027-01-10", "2027-01-11"
# The day on which each is over: shown up to the day before, and gone by a run of that day.
#   phones           90 days after the departure by a maximum, though the house would keep them 24 months
#   tax_invoice      30 days after by the house: shown no longer, but kept for 60 days by a minimum
#   occupation       40 days after by a maximum for foreigners: a look does not know who is one, so the run of the day
#                    before tells it, and without one the house's 24 months
#   name.surname     24 months after the departure by the house
#   restriction      until the day it carries
#   stay_links       36 months after the departure by the house
OVER = {
    "phones": ("2027-04-10", "2027-04-10"),
    "tax_invoice": ("2027-02-09", "2027-03-11"),
    "occupation": ("2029-01-10", "2027-02-19"),
    "name.surname": ("2029-01-10", "2029-01-10"),
    "restriction": ("2027-06-01", "2027-06-01"),
    "stay_links": ("2030-01-10", "2030-01-10"),
}
# The register's copy, by Portuguese law a year from the departure and no longer; made when its source first goes.
REGISTER = ("2027-02-09", "2028-01-10")


def day_before(day):
    return str(date.fromisoformat(day) - timedelta(1))


def vault_at(vault, day):
    """The vault serving on a day, with keys of that day: older ones may have ended."""
    vault.environment |= {"FAKETIME": f"@{day} 12:00:00", "TZ": "UTC", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                          "LD_PRELOAD": LIBRARY}
    vault.make_keys(("integration", "compliance_officer"))
    return vault.serving()


def run_of(vault, day):
    """Waits until the run of the day is done."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        runs = vault.call("compliance_officer/o-1", "GET", "/v1/retention/runs")["items"]
        if runs and runs[0]["as_of"] == day and runs[0]["state"] in ("done", "waiting", "simulated"):
            return
        time.sleep(0.2)
    sys.exit(f"{day}: no run was done")


def shown(vault, guest):
    """Which of the fields an officer gets to see who is not there for the law."""
    told = vault.call("compliance_officer/o-1", "POST", f"/v1/guests/{guest.id}/reveal", {"fields": list(OVER)},
                      purpose="security_incident", headers=[("Vault-Reason", "the drill")])
    text = json.dumps(told, ensure_ascii=False).lower()
    return {field for field in OVER if guest.own[field][0].lower() in text}


def there(vault):
    """Which of the fields lie in the database."""
    fields = {field for (field,) in vault.rows("data", "SELECT DISTINCT field FROM field_value")}
    stays = {"stay_links"} if vault.rows("data", "SELECT stay_token IS NOT NULL FROM stay") else set()
    return fields & set(OVER) | stays


def drill(binary, folder, runs):
    """`runs`: none, done, or waiting for a second person."""
    above = "approve_above = 0\n" if runs == "waiting" else ""
    every = 0 if runs == "none" else 24
    vault = Vault(binary, folder, more=f'[policies]\ndir = "policies"\n[retention]\nevery_hours = {every}\n{above}')
    vault.file("policies", "retention").mkdir(parents=True)
    for name in ("model.conf", "roles.csv", "rules.csv", "purposes.toml", "fields.toml", "cases.toml"):
        shutil.copy(ROOT / "policies" / name, vault.file("policies"))
    vault.file("policies", "retention", "drill.toml").write_text(RULES)
    guest = Guest(1, "CN")
    guest.document["restriction"]["until"] = OVER["restriction"][0]
    days = {day for both in OVER.values() for day in both} | set(REGISTER)
    days = sorted({near for day in days for near in (day, day_before(day))})
    with vault_at(vault, WRITTEN):
        guest.put(vault, ARRIVAL, DEPARTURE)
    for day in days:
        with vault_at(vault, day):
            if runs == "done":
                run_of(vault, day)
            # Where runs wait, what the run of the day before told is enough.
            seen = shown(vault, guest)
            if runs == "waiting":
                run_of(vault, day)
                seen_after = shown(vault, guest)
                assert seen == seen_after, f"{day}: the run shows {sorted(seen_after)}, before it {sorted(seen)}"
            stays = there(vault)
            entries = vault.call("compliance_officer/o-1", "GET", f"/v1/guests/{guest.id}/register",
                                 purpose="legal_retention", expect=(200, 404, 410))
        # Whichever comes first.
        until = {field: both[0] if runs == "none" else min(both) for field, both in OVER.items()}
        expected = {field for field, over in until.items() if day < over}
        assert seen == expected, f"{day}: shown {sorted(seen)}, expected {sorted(expected)}"
        expected = {field for field, (_, over) in OVER.items() if runs != "done" or day < over}
        assert stays == expected, f"{day}: there {sorted(stays)}, expected {sorted(expected)}"
        registered = runs == "done" and REGISTER[0] <= day < REGISTER[1]
        assert bool(entries.get("entries")) == registered, f"{day}: the register says {entries}"
    print(f"runs {runs}: {len(days)} days from {days[0]} to {days[-1]}, each as expected")


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--binary", required=True)
    options = options.parse_args()
    if not LIBRARY:
        sys.exit("libfaketime is not installed (Debian: libfaketime)")
    for runs in ("none", "done", "waiting"):
        with tempfile.TemporaryDirectory() as folder:
            drill(options.binary, folder, runs)


if __name__ == "__main__":
    main()
