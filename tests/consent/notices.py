"""Follows every yes of a vault to the notice it answers to, and hashes that notice's bytes itself: over the vault's own
API, with nothing but Python's standard library.

    notices.py URL KEY PROPERTY PURPOSE GUEST…   an open vault; KEY's role may read consents, PURPOSE is what it calls for
    notices.py --binary PROGRAM                  a demonstration of its own: publishes notices, lets guests agree, checks,
                                                 and checks that a notice with other bytes would have been found out
"""

import hashlib
import json
import subprocess
import sys
import urllib.request


class Caller:
    def __init__(self, url, key, prop, purpose):
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}", "Vault-Property": prop, "Vault-Purpose": purpose}

    def call(self, method, path, body=None):
        headers = dict(self.headers)
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def get(self, path):
        return self.call("GET", path)


def follow(caller, guests, forge=lambda text: text):
    """Gives how many yeses were followed, to how many notices, which name none, and what is wrong."""
    followed, bare, wrong, notices = 0, [], [], {}
    for guest in guests:
        for line in json.loads(caller.get(f"/v1/guests/{guest}/consents"))["history"]:
            if line["state"] not in ("given", "renewed"):
                continue
            notice = line.get("notice_id")
            if notice is None:
                bare.append(line["consent_id"])
                continue
            if notice not in notices:
                told = json.loads(caller.get(f"/v1/notices/{notice}"))
                text = forge(caller.get(f"/v1/notices/{notice}/text"))
                notices[notice] = (told, hashlib.sha256(text).hexdigest())
            told, found = notices[notice]
            if found != told["sha256"] or told["purpose"] != line["purpose"]:
                wrong.append(line["consent_id"])
            followed += 1
    return followed, len(notices), bare, wrong


def say(followed, notices, bare, wrong):
    print(f"{followed} consents point to {notices} notices; {len(wrong)} hash otherwise, {len(bare)} name no notice")
    for consent in wrong + bare:
        print(f"  {consent}")
    return not (wrong or bare)


def notice(language, text, retention):
    return {
        "purpose": "marketing_direct", "language": language, "text": text,
        "controller": {"name": "Invented Hotels", "address": "Nowhere 1", "contact": "privacy@hotels.example"},
        "categories": ["identity", "contact"], "retention": retention, "jurisdiction": "PT",
    }


def demonstrate(program):
    command = [program, "demo", "--guests", "1", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as vault:
        try:
            told = json.loads(vault.stdout.readline())
            prop = told["properties"][0]
            prop = prop["code"] if isinstance(prop, dict) else prop
            officer = Caller(told["url"], told["keys"]["compliance_officer"], prop, "audit")
            source = Caller(told["url"], told["keys"]["integration"], prop, "booking")
            crm = Caller(told["url"], told["keys"]["crm"], prop, "marketing_direct")
            guests = []
            for language, text, retention in [
                ("en", "May we write to you?", "P24M"), ("pt", "Podemos escrever-lhe?", "P24M"),
                ("zh", "我们可以写信给您吗？", "P36M"),
            ]:
                published = json.loads(officer.call("POST", "/v1/notices", notice(language, text, retention)))
                for number in range(5):
                    said = {"purpose": "marketing_direct", "state": "given", "channel": "web",
                            "notice_id": published["notice_id"]}
                    record = {"guest": {"name": {"surname": f"Check{number}"}}, "consents": [said]}
                    answer = source.call("PUT", f"/v1/records/web/check-{language}-{number}", record)
                    answer = json.loads(answer)
                    if answer["rejected"]:
                        sys.exit(f"a consent was rejected: {answer['rejected']}")
                    guests.append(answer["guest_id"])
            good = say(*follow(crm, guests))
            followed, _, _, found = follow(crm, guests, forge=lambda text: text + b" ")
            if not good or followed != len(guests) or len(found) != followed:
                sys.exit("notices are not what the ledger says, or a changed one was not found out")
            print(f"with one byte more in each notice, {len(found)} of {followed} are found out")
        finally:
            vault.terminate()
            vault.wait(timeout=30)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--binary"]:
        demonstrate(sys.argv[2])
    else:
        url, key, prop, purpose, *guests = sys.argv[1:]
        sys.exit(0 if say(*follow(Caller(url, key, prop, purpose), guests)) else 1)
