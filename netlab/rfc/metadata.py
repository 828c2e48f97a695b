"""What ``rfcN.json`` says: the RFC Editor's record of one document, so that no index is needed."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from netlab.rfc.entries import Entry
from netlab.rfc.index import UnreadableListing

_DOC_ID = re.compile(r"\s*RFC\s*0{0,5}([1-9][0-9]{0,4})\s*", re.IGNORECASE | re.ASCII)


def parse_metadata(data: bytes, number: int) -> Entry:
    """What a reader of RFC ``number`` must know: its title, what is newer, whether it has errata.

    Raises ``UnreadableListing`` if ``data`` is not a record of it.
    """
    try:
        record = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadableListing(f"the record of RFC {number} is no object in JSON") from error
    if _numbers([record.get("doc_id")]) != (number,):
        raise UnreadableListing(f"this is not the record of RFC {number}")
    return Entry(
        number,
        " ".join(_text(record, "title").split()),
        obsoleted_by=_numbers(record.get("obsoleted_by")),
        updated_by=_numbers(record.get("updated_by")),
        errata_url=_text(record, "errata_url").strip(),
    )


def _text(record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    return value if isinstance(value, str) else ""


def _numbers(names: object) -> tuple[int, ...]:
    found = set()
    for name in names if isinstance(names, list) else ():
        matched = _DOC_ID.fullmatch(name) if isinstance(name, str) else None
        if matched:
            found.add(int(matched[1]))
    return tuple(sorted(found))
