"""Checks a certificate of an erasure apart from the product: `certificate.py FILE VKEY`.

Written from docs/formats.md; needs PyPI `cryptography`. Exit status 0 when everything is proven, 1 otherwise.
"""

import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Bad(Exception):
    pass


def sha(data):
    return hashlib.sha256(data).digest()


def key_of(vkey):
    name, number, key = vkey.split("+", 2)
    raw = base64.b64decode(key)
    if raw[0] != 1 or sha(name.encode() + b"\n" + raw)[:4].hex() != number:
        raise Bad("the key is none")
    return name, bytes.fromhex(number), Ed25519PublicKey.from_public_bytes(raw[1:])


def opened(note, vkey):
    """The text of a signed note."""
    name, number, public = key_of(vkey)
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    for line in lines.splitlines():
        dash, signer, signature = line.split(" ")
        signature = base64.b64decode(signature)
        if dash == "—" and signer == name and signature[:4] == number:
            try:
                public.verify(signature[4:], text.encode())
            except InvalidSignature:
                raise Bad("a signature is wrong") from None
            return text.split("\n")
    raise Bad("not signed by this log")


def included(index, size, leaf, proof, root):
    """RFC 9162 §2.1.3.2."""
    if index >= size:
        return False
    fn, sn, hash_ = index, size - 1, leaf
    for node in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            hash_ = sha(b"\x01" + node + hash_)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            hash_ = sha(b"\x01" + hash_ + node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and hash_ == root


def proven(evidence, vkey):
    """The index and content of an entry that its receipt proves."""
    entry = base64.b64decode(evidence["entry"])
    head, checkpoint = evidence["receipt"].split("\n\n", 1)
    lines = head.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1":
        raise Bad("a receipt is none")
    index = int(lines[1].removeprefix("index "))
    proof = [base64.b64decode(line) for line in lines[2:]]
    text = opened(checkpoint, vkey)
    size, root = int(text[1]), base64.b64decode(text[2])
    if text[0] != vkey.split("+")[0] or not included(index, size, sha(b"\x00" + entry), proof, root):
        raise Bad("an entry is not in the log")
    return index, json.loads(entry)["leaf"]


def check(document, vkey):
    certificate = document["certificate"]
    canonical = json.dumps(certificate, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    text = opened(document["signature"], vkey)
    if text[1] != "erasure certificate" or text[2] != base64.b64encode(sha(canonical)).decode():
        raise Bad("the certificate was changed")
    entries = dict(proven(evidence, vkey) for evidence in document["evidence"])
    for run in certificate["runs"]:
        for index, act in ((run["intent"], "erase"), (run["confirmation"], "erased")):
            leaf = entries.get(index)
            if leaf is None or leaf["act"] != act:
                raise Bad("an entry is missing")
            said = leaf["erasure"]
            told = (certificate["request_id"], run["tombstone"], run["categories"], run["whole"])
            if (said["case"], said["tombstone"], said["categories"], said["whole"]) != told:
                raise Bad("the log says something else")
        if run["intent"] >= run["confirmation"]:
            raise Bad("confirmed before it was intended")
    return certificate


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    try:
        certificate = check(document, sys.argv[2])
    except (Bad, KeyError, ValueError) as error:
        sys.stderr.write(f"NOT PROVEN: {error}\n")
        sys.exit(1)
    print(f"proven: request {certificate['request_id']}, {len(certificate['runs'])} runs")


if __name__ == "__main__":
    main()
