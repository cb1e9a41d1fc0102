"""Whether the time of an answer tells who is a guest: codes to contacts on file against codes to nobody's.

    python3 tests/bench/strangers.py BINARY [--asks 400]

Starts a demonstration without guests, writes ASKS guests with an e-mail address each, and asks for codes in turns for an
address on file and for one that is nobody's, each from a new browser, then types a wrong code. Prints the median times of
both and, for each step, how often the slower of a pair is the known one: half of the time, when the time tells nothing; also
how far from a half that may be by chance (two standard errors). Nothing is left behind.
"""

import argparse
import http.cookiejar
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path


def call(url, key, method, path, body):
    headers = {"Authorization": f"Bearer {key}", "Vault-Purpose": "booking", "Vault-Property": "LIS01",
               "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def guest(number):
    syllables = "ba de ki lo mu na pe ri so tu".split()
    name = "".join(syllables[int(digit)] for digit in f"{number:04}")
    return {"guest": {"name": {"surname": name.title(), "given": f"{syllables[number % 10]}{syllables[number % 7]}".title()},
                      "emails": [{"address": f"known-{number:06}@guests.example"}]}}


def timed(opener, url, fields):
    request = urllib.request.Request(url, urllib.parse.urlencode(fields).encode(), {"Origin": url.split("/privacy")[0]})
    begun = time.perf_counter()
    with opener.open(request, timeout=60) as answer:
        page = answer.read().decode()
    return time.perf_counter() - begun, page, answer.url


def form(page):
    """What a page's form carries along."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))


def asked(url, contact):
    """The times of asking for a code, and of typing a wrong one, from a new browser."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with opener.open(url + "/privacy/sign-in", timeout=60) as answer:
        page = answer.read().decode()
    ask, page, where = timed(opener, url + "/privacy/sign-in", form(page) | {"contact": contact})
    if 'name="code"' not in page:
        sys.exit(f"no code was asked for at {where}")
    wrong, page, _ = timed(opener, where.split("?")[0], form(page) | {"code": "000000"})
    return ask, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--asks", type=int, default=400)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [Path(arguments.binary).resolve(), "demo", "--json", "--port", "0", "--guests", "0", "--data-dir", folder + "/demo"]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            told = json.loads(next(line for line in demo.stdout if line.startswith("{")))
            for number in range(arguments.asks):
                call(told["url"], told["keys"]["integration"], "PUT", f"/v1/records/web/{number}", guest(number))
            pairs = []
            for number in range(arguments.asks):
                contacts = [f"known-{number:06}@guests.example", f"nobody-{number:06}@guests.example"]
                turns = contacts if number % 2 else contacts[::-1]
                times = dict(zip(turns, [asked(told["url"], contact) for contact in turns]))
                pairs.append([times[contact] for contact in contacts])
        finally:
            demo.terminate()
            demo.wait()
    chance = 2 * (0.25 / len(pairs)) ** 0.5
    for step, name in enumerate(("a code asked for", "a wrong code typed")):
        known, nobody = [[pair[who][step] * 1000 for pair in pairs] for who in (0, 1)]
        slower = sum(k > n for k, n in zip(known, nobody)) / len(pairs)
        print(f"{name}: known {statistics.median(known):.2f} ms, nobody {statistics.median(nobody):.2f} ms; "
              f"the known one is slower in {slower:.3f} of pairs (0.5 ± {chance:.3f} by chance)")


if __name__ == "__main__":
    main()
