"""Validates exported consents with other people's tools: PyLD expands the JSON-LD, pySHACL holds it against the shapes
in docs/consent, jsonschema the Kantara receipts, and Python's `cryptography` (where it is there) the signature. Then it
breaks each record in several ways and expects every one to be refused.

    validate.py FOLDER      a folder of *.jsonld and *.kantara.json
"""

import copy
import json
import pathlib
import sys

import jsonschema
import pyshacl
import rdflib
from pyld import jsonld

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "consent"
VAULT = "https://guest-vault.example/ns#"


def graph(record):
    """The record as triples, by PyLD; its context is inline, so nothing is fetched."""
    quads = jsonld.to_rdf(record, {"format": "application/n-quads"})
    return rdflib.Graph().parse(data=quads, format="nquads")


def conforms(record, shapes):
    conforms, _, text = pyshacl.validate(graph(record), shacl_graph=shapes)
    return conforms, text


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed(record):
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    import base64

    record = copy.deepcopy(record)
    proof = record.pop("vault:proof")
    key = base64.urlsafe_b64decode(proof["vault:publicKey"] + "=")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(proof["vault:signature"]), canonical(record))
    except InvalidSignature:
        return False
    return True


def without(record, *path):
    record = copy.deepcopy(record)
    inner = record
    for member in path[:-1]:
        inner = inner[member]
    del inner[path[-1]]
    return record


def broken(record):
    """The record with one mandatory thing missing or wrong, and what that is."""
    for path in [
        ("dct:identifier",), ("dpv:hasDataSubject",), ("dpv:hasJurisdiction",), ("dpv:hasDataController",),
        ("dpv:hasProcess",), ("dpv:hasNotice",), ("dpv:hasConsentControl",), ("dpv:hasConsentStatus",),
        ("vault:proof",), ("dpv:hasProcess", "dpv:hasPurpose"), ("dpv:hasProcess", "dpv:hasLegalBasis"),
        ("dpv:hasProcess", "dpv:hasPersonalData"), ("dpv:hasProcess", "dpv:hasStorageCondition"),
        ("dpv:hasNotice", "vault:noticeSha256"), ("dpv:hasDataController", "dpv:hasContact"),
    ]:
        yield " ".join(path), without(record, *path)
    short = copy.deepcopy(record)
    short["dpv:hasNotice"]["vault:noticeSha256"] = "abc"
    yield "a short hash", short
    if "vault:separateConsentKind" in record:
        silent = copy.deepcopy(record)
        for recipient in silent["dpv:hasProcess"]["dpv:hasRecipient"]:
            recipient.pop("dpv:hasContact", None)
        yield "a third party without contact", silent


def main(folder):
    shapes = rdflib.Graph().parse(DOCS / "consent-record.shapes.ttl", format="turtle")
    schema = json.loads((DOCS / "kantara-receipt.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    records = sorted(pathlib.Path(folder).glob("*.jsonld"))
    receipts = sorted(pathlib.Path(folder).glob("*.kantara.json"))
    if not records or not receipts:
        sys.exit(f"no records in {folder}")
    for file in records:
        record = json.loads(file.read_text())
        good, text = conforms(record, shapes)
        if not good:
            sys.exit(f"{file.name} does not conform:\n{text}")
        if signed(record) is False:
            sys.exit(f"{file.name}: the signature is wrong")
        count = 0
        for what, wrong in broken(record):
            count += 1
            if conforms(wrong, shapes)[0]:
                sys.exit(f"{file.name} without {what} conforms: the shapes ask for too little")
        print(f"{file.name}: {len(graph(record))} triples conform; {count} broken ones do not")
    for file in receipts:
        jsonschema.validate(json.loads(file.read_text()), schema)
        print(f"{file.name}: conforms")


if __name__ == "__main__":
    main(sys.argv[1])
