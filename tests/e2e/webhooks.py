#!/usr/bin/env python3
"""Receives webhooks from a running vault and checks them with somebody else's library (PyPI `standardwebhooks`).

A receiver on the loopback interface, a vault with that receiver in its configuration, a few changes. Exit code 0:
each event came once it was taken, its signature holds for the library, a changed body or another secret does not,
and the body is a CloudEvent without a value of the guest.
"""

import argparse
import base64
import http.server
import json
import os
import pathlib
import queue
import secrets
import subprocess
import sys
import tempfile
import threading
import urllib.request

from standardwebhooks import Webhook, WebhookVerificationError

WAIT_SECONDS = 60
SURNAME = "Canarias-Unmistakable"
calls = queue.Queue()
refuse = threading.Event()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes events, or refuses them while told to."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = 503 if refuse.is_set() else 204
        calls.put((answer, dict(self.headers.items()), body))
        self.send_response(answer)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def run(binary, folder, *arguments):
    done = subprocess.run([binary, *arguments], cwd=folder, capture_output=True, text=True, timeout=WAIT_SECONDS)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


def put(url, key, source_id, surname):
    body = json.dumps({"guest": {"name": {"surname": surname}}}).encode()
    request = urllib.request.Request(f"{url}/v1/records/pms/{source_id}", data=body, method="PUT")
    for name, value in {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "vault-property": "MAIN",
        "vault-purpose": "booking",
    }.items():
        request.add_header(name, value)
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
        return json.load(answer)["guest_id"]


def take(expected):
    answer, headers, body = calls.get(timeout=WAIT_SECONDS)
    assert answer == expected, f"answered {answer}"
    return {name.lower(): value for name, value in headers.items()}, body


def must_fail(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return
    sys.exit("a message that was changed passes")


def check(url, key, secret):
    refuse.set()
    guest = put(url, key, "1", SURNAME)
    first, body = take(503)
    refuse.clear()
    second, again = take(204)
    assert (first["webhook-id"], body) == (second["webhook-id"], again), "the same event is sent again"
    for headers in (first, second):
        event = Webhook(secret).verify(body, headers)
        assert event["specversion"] == "1.0" and event["type"] == "guest.created", event
        assert event["subject"] == guest and event["data"]["fields"] == ["name.surname"], event
        must_fail(secret, body.replace(b"created", b"deleted"), headers)
        must_fail("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(), body, headers)
    assert SURNAME.encode() not in body, "an event holds no data of the guest"
    put(url, key, "1", SURNAME + "-Two")
    headers, body = take(204)
    assert Webhook(secret).verify(body, headers)["type"] == "guest.updated"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    binary = os.path.abspath(arguments.parse_args().binary)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "hook.secret").write_text(secret)
        pathlib.Path(folder, "guest-vault.toml").write_text(
            "[server]\nport = 0\n"
            "[[webhooks]]\n"
            'name = "crm"\n'
            f'url = "http://127.0.0.1:{server.server_port}/hook"\n'
            'secret_file = "hook.secret"\n'
            'events = ["guest.created", "guest.updated"]\n'
            'allow = ["127.0.0.1"]\n'
        )
        created = run(binary, folder, "principal", "create", "--role", "integration", "--property", "GROUP",
                      "--name", "pms", "--json")
        key = json.loads(created)["key"]
        vault = subprocess.Popen([binary, "serve", "--json"], cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            check(json.loads(vault.stdout.readline())["url"], key, secret)
        finally:
            vault.terminate()
            status = vault.wait(timeout=WAIT_SECONDS)
        assert status == 0, f"the vault ended with {status}"
    print("webhooks: taken, sent again, and verified by standardwebhooks")


main()
