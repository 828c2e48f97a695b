"""Entries as they are written down: under which name, and with a checksum."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec

from netlab.cache.policy import Entry, from_json, to_json

_SUM = 16  # bytes of the checksum: against damage, not against forgery
_HALF = 16  # bytes for the key and as many for the selecting fields
NAME = re.compile(r"[0-9a-f]{64}")
"""What the name of an entry and of a content look like."""

BLOCK = 4096
"""In bytes: files take room by the block."""


def key_part(key: str) -> str:
    """The first half of the names of all entries under a cache key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[: 2 * _HALF]


def entry_name(entry: Entry) -> str:
    """The name of an entry: those with the same key and selecting fields have the same."""
    selecting = hashlib.sha256(msgspec.json.encode(entry.selecting)).hexdigest()
    return key_part(entry.key) + selecting[: 2 * _HALF]


def seal(entry: Entry) -> bytes:
    """An entry as a line with a checksum and a line of JSON."""
    data = to_json(entry)
    return b"%s\n%s\n" % (_checksum(data), data)


def unseal(record: bytes) -> Entry:
    """The entry that ``seal`` wrote; ``ValueError`` if a single bit of it has changed."""
    checksum, _, rest = record.partition(b"\n")
    data = rest.removesuffix(b"\n")
    if len(rest) != len(data) + 1 or checksum != _checksum(data):
        raise ValueError("the checksum of an entry is wrong")
    entry = from_json(data)
    if entry.body_size is None or not NAME.fullmatch(entry.body_digest):
        raise ValueError("an entry without its content")
    return entry


def others(variants: Iterable[Entry], *without: Entry) -> tuple[Entry, ...]:
    """The variants of a key whose selecting fields are none of theirs."""
    out = [entry.selecting for entry in without]
    return tuple([entry for entry in variants if entry.selecting not in out])


def blocks(size: int) -> int:
    """How many bytes a file of ``size`` bytes takes on the disk, near enough."""
    return -(-size // BLOCK) * BLOCK


def weight(variants: tuple[Entry, ...]) -> int:
    """How many bytes of memory decoded entries take, near enough."""
    total = 300
    for entry in variants:
        total += 1000 + len(entry.key)
        total += sum([200 + len(name) + len(value) for name, value in entry.fields])
        total += sum([200 + len(value or "") for _, value in entry.selecting])
    return total


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_SUM).hexdigest().encode()
