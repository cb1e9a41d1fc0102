"""POST /v1/consents/check of ten thousand guests who are really there: exact, and in how long.

    many.py --binary PROGRAM [--guests 10000] [--within SECONDS] [--database-url URL --keys-url URL]

A demonstration takes in the guests by POST /v1/imports; every third agrees, every ninth of all takes it back. Prints how
long a check of all of them took; exits with 1 when the answer is not exactly those who agreed, or when one took longer than --within.
"""

import argparse
import json
import subprocess
import sys
import time
import urllib.request

LETTERS = "abcdefghij"


class Caller:
    def __init__(self, told, role, purpose):
        self.url = told["url"]
        prop = told["properties"][0]
        self.headers = {"Authorization": f"Bearer {told['keys'][role]}", "Vault-Purpose": purpose,
                        "Vault-Property": prop["code"] if isinstance(prop, dict) else prop}

    def post(self, path, body, kind="application/json"):
        headers = dict(self.headers, **{"Content-Type": kind})
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method="POST")
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.read()


def name(number):
    """Nobody's namesake: a word of its own for each number."""
    return "".join(LETTERS[int(digit)] for digit in f"{number * 7919 % 1_000_003:07}").capitalize()


def lines(first, end):
    for number in range(first, end):
        said = lambda state, day: {"purpose": "marketing_direct", "state": state, "channel": "web", "at": f"2026-01-{day:02}T08:00:00Z"}
        consents = [said("given", 1)] if number % 3 == 0 else []
        consents += [said("withdrawn", 2)] if number % 9 == 0 else []
        record = {"source_system": "many", "source_id": str(number), "guest": {"name": {"surname": name(number)}},
                  "consents": consents}
        yield json.dumps(record) + "\n"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--binary", required=True)
    options.add_argument("--guests", type=int, default=10_000)
    options.add_argument("--within", type=float, default=60)
    options.add_argument("--database-url")
    options.add_argument("--keys-url")
    options = options.parse_args()
    command = [options.binary, "demo", "--guests", "1", "--port", "0", "--json"]
    for option in ("database_url", "keys_url"):
        if getattr(options, option):
            command += ["--" + option.replace("_", "-"), getattr(options, option)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as vault:
        try:
            told = json.loads(vault.stdout.readline())
            source, marketing = Caller(told, "integration", "booking"), Caller(told, "marketing", "marketing_direct")
            ids = {}
            for first in range(0, options.guests, 1000):
                body = "".join(lines(first, min(first + 1000, options.guests))).encode()
                for line in source.post("/v1/imports", body, "application/x-ndjson").splitlines():
                    line = json.loads(line)
                    if "guest_id" in line:
                        ids[line["guest_id"]] = first + line["line"] - 1
            if len(ids) != options.guests:
                sys.exit(f"{len(ids)} guests of {options.guests}")
            question = json.dumps({"purpose": "marketing_direct", "guest_ids": list(ids)}).encode()
            took = []
            for _ in range(7):
                begun = time.perf_counter()
                answer = json.loads(marketing.post("/v1/consents/check", question))
                took.append(time.perf_counter() - begun)
        finally:
            vault.terminate()
            vault.wait(timeout=60)
    found = sorted(ids[guest] for guest in answer["guest_ids"])
    exact = found == [n for n in range(options.guests) if n % 3 == 0 and n % 9 != 0]
    took.sort()
    print(f"{options.guests:,} guests checked in {took[len(took) // 2] * 1000:.0f} ms (median of {len(took)}, slowest "
          f"{took[-1] * 1000:.0f} ms): {len(found):,} may be written to, {'exactly those who agreed' if exact else 'WRONG'}")
    sys.exit(0 if exact and took[-1] < options.within else 1)


if __name__ == "__main__":
    main()
