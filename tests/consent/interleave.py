"""Reads and withdrawals at once, from outside: no read that began after a withdrawal was answered, and ended before the
next consent was asked for, may show anything.

    interleave.py --binary PROGRAM [--seconds N] [--guests N] [--readers N] [--rate N] [--database-url URL --keys-url URL]

Prints how many calls a second there were; exits with 1 when a single read showed what was withdrawn, or when there were
fewer calls a second than --rate asks for.
"""

import argparse
import http.client
import json
import multiprocessing
import subprocess
import sys
import threading
import time
import urllib.parse


class Caller:
    """One connection that is kept open."""

    def __init__(self, told, role, purpose):
        url = urllib.parse.urlsplit(told["url"])
        self.host, self.port = url.hostname, url.port
        prop = told["properties"][0]
        self.headers = {
            "Authorization": f"Bearer {told['keys'][role]}",
            "Vault-Property": prop["code"] if isinstance(prop, dict) else prop,
            "Vault-Purpose": purpose,
            "Content-Type": "application/json",
        }
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30)

    def call(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text)


def shown(answer):
    return answer["fields"].get("name.surname", {}).get("view") == "plain"


def toggle(told, guest, until, said):
    """Gives and withdraws in turn; notes when each was asked for and answered."""
    caller = Caller(told, "crm", "marketing_direct")
    while time.monotonic() < until:
        for state in ("given", "withdrawn"):
            asked = time.monotonic()
            body = {"purpose": "marketing_direct", "state": state, "channel": "web"}
            caller.call("POST", f"/v1/guests/{guest}/consents", body)
            said.append((state, asked, time.monotonic()))
            # Long enough for reads to fall wholly in between.
            time.sleep(0.03)


def watch(told, guest, until, seen):
    caller = Caller(told, "crm", "marketing_direct")
    while time.monotonic() < until:
        began = time.monotonic()
        answer = caller.call("GET", f"/v1/guests/{guest}?fields=name.surname")
        seen.append((began, time.monotonic(), shown(answer)))


def play(told, guest, seconds, readers):
    """One guest: somebody who gives and withdraws, others who look."""
    said, seen, until = [], [], time.monotonic() + seconds
    threads = [threading.Thread(target=toggle, args=(told, guest, until, said))]
    threads += [threading.Thread(target=watch, args=(told, guest, until, seen)) for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said, seen


def judge(said, seen):
    """How many reads fell wholly into a time without consent, and how many of them showed something."""
    times = [(done, said[at + 1][1] if at + 1 < len(said) else float("inf"))
             for at, (state, _, done) in enumerate(said) if state == "withdrawn"]
    inside, wrong, at = 0, 0, 0
    for began, ended, was_shown in sorted(seen):
        while at < len(times) and times[at][1] < began:
            at += 1
        if at < len(times) and times[at][0] < began and ended < times[at][1]:
            inside += 1
            wrong += was_shown
    return inside, wrong


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--binary", required=True)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--guests", type=int, default=4)
    options.add_argument("--readers", type=int, default=2)
    options.add_argument("--rate", type=float, default=0)
    options.add_argument("--database-url")
    options.add_argument("--keys-url")
    options = options.parse_args()
    command = [options.binary, "demo", "--guests", "1", "--port", "0", "--json"]
    for name in ("database_url", "keys_url"):
        if getattr(options, name):
            command += ["--" + name.replace("_", "-"), getattr(options, name)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as vault:
        try:
            told = json.loads(vault.stdout.readline())
            source = Caller(told, "integration", "booking")
            guests = [source.call("PUT", f"/v1/records/web/turn-{n}", {"guest": {"name": {"surname": f"Turn{n}"}}})["guest_id"]
                      for n in range(options.guests)]
            scenes = [(told, guest, options.seconds, options.readers) for guest in guests]
            # A process a guest: one interpreter alone would be the limit.
            with multiprocessing.Pool(len(scenes)) as pool:
                logs = pool.starmap(play, scenes)
        finally:
            vault.terminate()
            vault.wait(timeout=30)
    calls = sum(len(said) + len(seen) for said, seen in logs)
    judged = [judge(said, seen) for said, seen in logs]
    inside, wrong = sum(i for i, _ in judged), sum(w for _, w in judged)
    withdrawn = sum(1 for said, _ in logs for state, *_ in said if state == "withdrawn")
    shows = sum(1 for _, seen in logs for *_, was in seen if was)
    print(f"{calls / options.seconds:.0f} calls a second for {options.seconds:.0f} s: {withdrawn} withdrawals, {shows} reads "
          f"that showed, {inside} that began after a withdrawal and ended before the next consent, {wrong} of them wrong")
    if wrong or not inside or not shows or calls / options.seconds < options.rate:
        sys.exit(1)


if __name__ == "__main__":
    main()
