#!/usr/bin/env python3
"""Opens the vectors beside this file with another library than guest-vault's (PyPI `cryptography`).

Written from docs/formats.md alone. Exit code 0: every vector opens, and every damaged one is refused.
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys
import uuid

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FOLDER = pathlib.Path(__file__).parent


class Refused(Exception):
    """The bytes do not open here."""


def joined(*parts):
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def derived(key, *info):
    return HKDF(SHA256(), 32, b"guest-vault/1", joined(*info)).derive(key)


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def gcm(key, nonce, body, aad):
    try:
        return AESGCM(key).decrypt(nonce, body, aad)
    except InvalidTag:
        raise Refused from None


def open_value(key, sealed, guest, record, path, version):
    if len(sealed) < 33 or sealed[0] != 1 or sealed[1] != 1:
        raise Refused
    header, nonce, body = sealed[:5], sealed[5:17], sealed[17:]
    aad = joined(header, guest, record, path.encode(), struct.pack(">Q", version))
    return gcm(key, nonce, body, aad)


def unwrap(key, wrapped, *context):
    if len(wrapped) != 62 or wrapped[0] != 1 or wrapped[1] != 1:
        raise Refused
    return gcm(key, wrapped[2:14], wrapped[14:], joined(wrapped[:2], *context))


def unwrap_data_key(epoch_key, wrapped, guest, category, version):
    wrapping = derived(epoch_key, b"data key", guest)
    return unwrap(wrapping, wrapped, b"data key", guest, bytes([category]), struct.pack(">H", version))


def root_of_passphrase(passphrase, stored):
    # Needs cryptography 44 with OpenSSL 3.2; distributions may be older.
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    memory, passes, lanes = struct.unpack(">III", stored[1:13])
    kdf = Argon2id(salt=stored[13:29], length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    return kdf.derive(passphrase.encode())


def unwrap_vault_key(vector):
    stored = hexed(vector["wrapped"])
    if vector["provider"] == "key file":
        assert stored[0] == 1
        root, inner = hexed(vector["root"]), stored[1:]
    else:
        assert stored[0] == 2
        root, inner = root_of_passphrase(vector["passphrase"], stored), stored[29:]
    check = mac(derived(root, b"root check"), b"guest-vault root key")[:16]
    assert check == hexed(vector["check"]), "key-check value"
    context = (b"vault key", vector["purpose"].encode(), struct.pack(">q", vector["version"]))
    return unwrap(derived(root, b"root", b""), inner, *context)


def hexed(text):
    return bytes.fromhex(text)


def expect(vector, opened):
    """`opened` gives the plain bytes or raises; the vector says which."""
    try:
        plain = opened()
    except Refused:
        assert not vector["opens"], "refused, but should open"
        return
    assert vector["opens"], "opened, but should be refused"
    assert plain == hexed(vector["plain"]), "opened to something else"


def value(vector):
    place = uuid.UUID(vector["guest"]).bytes, uuid.UUID(vector["record"]).bytes, vector["path"], vector["version"]
    expect(vector, lambda: open_value(hexed(vector["key"]), hexed(vector["sealed"]), *place))


def data_key(vector):
    guest = uuid.UUID(vector["guest"]).bytes
    wrapped = hexed(vector["epoch_key"]), hexed(vector["wrapped"])
    expect(vector, lambda: unwrap_data_key(*wrapped, guest, vector["category"], vector["version"]))


def vault_key(vector):
    expect(vector, lambda: unwrap_vault_key(vector))


def token(vector):
    made = mac(hexed(vector["key"]), vector["kind"].encode(), b"\x1f", vector["value"].encode())[:16]
    assert made == hexed(vector["token"])


def pseudonym(vector):
    key = derived(hexed(vector["data_key"]), b"pseudonym")
    assert mac(key, struct.pack(">i", vector["year"]))[:16] == hexed(vector["pseudonym"])


KINDS = {
    "values.json": value,
    "data_keys.json": data_key,
    "vault_keys.json": vault_key,
    "tokens.json": token,
    "pseudonyms.json": pseudonym,
}


def main():
    failed = 0
    for file, check in KINDS.items():
        for vector in json.loads((FOLDER / file).read_text()):
            try:
                check(vector)
                outcome = "ok"
            except (ImportError, UnsupportedAlgorithm):
                outcome = "skipped: this cryptography has no Argon2id"
            except AssertionError as error:
                outcome = f"FAILED {error}"
                failed += 1
            print(f"{file}: {vector['name']}: {outcome}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
