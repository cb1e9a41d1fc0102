#!/usr/bin/env python3
"""Makes random histories of guests with random rules, and says how long each drawer is kept.

Written from policies/retention/README.md and docs/retention.md, not from the program: two readings of the same words. One
line of JSON a history: {"rules": TOML or null (as before), "facts": {…}, "plan": [[category, earliest, latest, conflict]…]}.

    retention.py HISTORIES [SEED]
"""

import calendar
import json
import random
import sys
from datetime import date, timedelta

DRAWERS = ["identity", "contact", "document", "finance", "stay", "preference", "marketing", "membership"]
NEEDED_FOR_A_STAY = {"identity", "demographic", "contact", "document", "finance", "stay"}
COUNTRIES = {"DE": [None, "DE-BY"], "US": [None, "US-MA", "US-ME"], "JP": [None], "PT": [None]}
OF_A_STAY = ["arrival", "entry", "departure", "acknowledged", "departure_year_end"]
OF_THE_GUEST = ["last_activity", "membership_end", "consent_withdrawn"]


def later(day, span):
    count, unit = span
    if unit == "days":
        return day + timedelta(days=count)
    months = count * (12 if unit == "years" else 1)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def age(born, on):
    """Whole years; who is born on 29 February is a year older on 1 March of other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


class Rule:
    def __init__(self, rnd, name):
        self.name = name
        self.country = rnd.choice(list(COUNTRIES) + ["*"])
        provinces = [p for p in COUNTRIES.get(self.country, []) if p]
        self.province = rnd.choice(provinces) if provinces and rnd.random() < 0.4 else None
        self.register = rnd.random() < 0.4
        self.categories = [] if self.register else rnd.sample(DRAWERS, rnd.randint(1, 3))
        self.foreign = rnd.random() < 0.4
        self.from_age = rnd.choice([None, None, 14, 16, 18])
        self.trigger = rnd.choice(OF_A_STAY if self.register else OF_A_STAY + OF_THE_GUEST)
        spans = sorted((self.span(rnd), self.span(rnd)), key=lambda s: later(date(2025, 1, 1), s))
        kind = rnd.randint(0, 2)
        self.min = None if kind == 1 else spans[0]
        self.max = None if kind == 0 else spans[1]
        self.valid_from = day(rnd) if rnd.random() < 0.2 else None
        self.valid_to = day(rnd) if rnd.random() < 0.2 else None
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            self.valid_to = None
        self.enabled = rnd.random() < 0.9

    @staticmethod
    def span(rnd):
        return rnd.choice(
            [(rnd.randint(0, 900), "days"), (rnd.randint(0, 40), "months"), (rnd.randint(0, 9), "years")]
        )

    def toml(self):
        lines = ["[[rule]]", f'id = "{self.name}"', f'country = "{self.country}"']
        if self.province:
            lines.append(f'province = "{self.province}"')
        lines.append(f'compartment = "{"register" if self.register else "categories"}"')
        if self.categories:
            lines.append(f"categories = {json.dumps(self.categories)}")
        lines.append(f'guests = "{"foreign" if self.foreign else "all"}"')
        if self.from_age is not None:
            lines.append(f"from_age = {self.from_age}")
        lines.append(f'trigger = "{self.trigger}"')
        for name, span in (("min", self.min), ("max", self.max)):
            if span:
                lines.append(f'{name} = {{ count = {span[0]}, unit = "{span[1]}" }}')
        for name, value in (("valid_from", self.valid_from), ("valid_to", self.valid_to)):
            if value:
                lines.append(f'{name} = "{value}"')
        if not self.enabled:
            lines.append("enabled = false")
        return "\n".join(lines + ['source = "made up"', 'as_of = "2026-01-01"', 'confidence = "low"', ""])

    def concerns(self, stay, facts):
        if not stay["came"]:
            return False
        if self.country != "*" and stay["country"] != self.country:
            return False
        if self.province and stay["province"] != self.province:
            return False
        if self.foreign and facts["nationality"] == stay["country"]:
            return False
        if self.from_age is not None and facts["born"] and age(facts["born"], stay["arrival"]) < self.from_age:
            return False
        return True

    def in_force(self, on):
        return not (self.valid_from and on < self.valid_from) and not (self.valid_to and on >= self.valid_to)

    def starts(self, facts):
        """Every day that this rule counts from."""
        if not self.enabled:
            return []
        if self.trigger in OF_THE_GUEST:
            on = facts[self.trigger]
            known = self.country == "*" or any(self.concerns(s, facts) for s in facts["stays"])
            return [on] if on and known and self.in_force(on) else []
        found = []
        for stay in facts["stays"]:
            if self.concerns(stay, facts) and self.in_force(stay["arrival"]):
                found.append(
                    {
                        "arrival": stay["arrival"],
                        "entry": stay["arrival"],
                        "departure": stay["departure"],
                        "acknowledged": stay["acknowledged"] or stay["departure"],
                        "departure_year_end": date(stay["departure"].year, 12, 31),
                    }[self.trigger]
                )
        return found


def day(rnd):
    return date(2019, 1, 1) + timedelta(days=rnd.randint(0, 2900))


def history(rnd):
    stays = []
    for _ in range(rnd.choice([0, 1, 1, 2, 3, 5])):
        arrival = rnd.choice([day(rnd), date(2024, 2, 29), date(2023, 12, 31)])
        country = rnd.choice(list(COUNTRIES))
        departure = arrival + timedelta(days=rnd.randint(0, 40))
        stays.append(
            {
                "country": country,
                "province": rnd.choice(COUNTRIES[country]),
                "arrival": arrival,
                "departure": departure,
                "acknowledged": rnd.choice([None, departure + timedelta(days=rnd.randint(0, 9))]),
                "came": rnd.random() < 0.8,
                "open": rnd.random() < 0.15,
            }
        )
    return {
        "stays": stays,
        "nationality": rnd.choice([None, "DE", "US", "JP", "PT", "CN"]),
        "born": rnd.choice([None, date(1980, 6, 15), date(2008, 2, 29), date(2010, 12, 31)]),
        "last_activity": rnd.choice([None, day(rnd)]),
        "membership_end": rnd.choice([None, day(rnd)]),
        "consent_withdrawn": rnd.choice([None, day(rnd)]),
        "drawers": {name: rnd.choice([None, day(rnd)]) for name in rnd.sample(DRAWERS, rnd.randint(0, 5))},
        "copies": rnd.choice([0, 0, 2]),
    }


def kept(rules, facts, house, contract):
    """Earliest, latest, and whether two laws contradict each other."""
    mins = [later(on, r.min) for r in rules for on in [max(r.starts(facts), default=None)] if on and r.min]
    maxs = [later(on, r.max) for r in rules for on in [max(r.starts(facts), default=None)] if on and r.max]
    duty = max(mins, default=None)
    end = min(maxs, default=None)
    # An open stay keeps what it needs at least to its last day; a law that asks for longer is what is named.
    earliest, by_contract = duty, False
    if contract and (duty is None or contract > duty):
        earliest, by_contract = contract, True
    conflict = bool(duty and end and not by_contract and duty > end)
    latest = min((d for d in (end, house) if d), default=None)
    if earliest and latest and latest < earliest and not conflict:
        latest = earliest
    return earliest, latest, conflict


def plan(rules, facts):
    answer = []
    stays = [s["departure"] for s in facts["stays"] if s["open"]]
    for name, house in sorted(facts["drawers"].items()):
        mine = [r for r in rules if name in r.categories]
        contract = max(stays, default=None) if name in NEEDED_FOR_A_STAY else None
        answer.append([name, *kept(mine, facts, house, contract)])
    register = [r for r in rules if r.register]
    if facts["copies"] or any(r.starts(facts) for r in register):
        answer.append(["statutory", *kept(register, facts, None, None)])
    return answer


def main():
    histories, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 7
    rnd = random.Random(seed)
    rules = []
    for number in range(histories):
        fresh = number % 50 == 0
        if fresh:
            rules = [Rule(rnd, f"r-{n}") for n in range(rnd.randint(1, 12))]
        facts = history(rnd)
        line = {
            "rules": "\n".join(r.toml() for r in rules) if fresh else None,
            "facts": facts,
            "plan": plan(rules, facts),
        }
        print(json.dumps(line, default=str))


if __name__ == "__main__":
    main()
