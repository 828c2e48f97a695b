"""The errata of all RFCs, as the RFC Editor publishes them in ``errata.json``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from netlab.rfc.index import LONGEST, UnreadableListing
from netlab.rfc.names import NotAName, Series, parse_name

_MOST = 500_000
"""Objects and lists that are taken; there are some 8,000 reports in 2026, of one object each."""

REJECTED = "Rejected"
"""The status of a report that is none: what it says is not wrong."""


@dataclass(frozen=True, slots=True)
class Erratum:
    """A report that something in an RFC is wrong.

    ``status`` is Reported, Verified, Held for Document Update or Rejected, ``kind``
    Technical or Editorial; ``section`` is as the reporter wrote it. ``submitted`` is a
    date, ``2001-01-31``. What is not known is empty.
    """

    number: int
    """The RFC's number."""
    id: int
    status: str = ""
    kind: str = ""
    section: str = ""
    original: str = ""
    corrected: str = ""
    notes: str = ""
    submitted: str = ""
    submitter: str = ""


def parse_errata(data: bytes) -> Mapping[int, tuple[Erratum, ...]]:
    """The errata by the RFCs' numbers, each RFC's in the order of their own numbers.

    A report without a readable RFC or number of its own is left out. Raises
    ``UnreadableListing`` if ``data`` is not a list of objects in JSON, or too much.
    """
    if len(data) > LONGEST:
        raise UnreadableListing(f"the errata have {len(data)} bytes; at most {LONGEST} are taken")
    if data.count(b"{") + data.count(b"[") > _MOST:  # each takes far more memory than bytes
        raise UnreadableListing(f"the errata are more than {_MOST} reports")
    try:
        reports = msgspec.json.decode(data, type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadableListing(f"the errata are no list in JSON: {error}") from error
    found: dict[int, list[Erratum]] = {}
    for report in reports:
        erratum = _erratum(report)
        if erratum is not None:
            found.setdefault(erratum.number, []).append(erratum)
    return MappingProxyType(
        {
            number: tuple(sorted(found[number], key=lambda erratum: erratum.id))
            for number in sorted(found)
        }
    )


def _erratum(report: dict[str, Any]) -> Erratum | None:
    try:
        name = parse_name(_text(report, "doc-id"))
    except NotAName:
        return None
    number = _text(report, "errata_id")
    if name.series is not Series.RFC or not (number.isascii() and number.isdigit()):
        return None
    return Erratum(
        number=name.number,
        id=int(number[:18]),
        status=_text(report, "errata_status_code"),
        kind=_text(report, "errata_type_code"),
        section=re.sub("^99(?=[A-Za-z])", "", _text(report, "section")),  # sorted behind numbers
        original=_lines(report, "orig_text"),
        corrected=_lines(report, "correct_text"),
        notes=_lines(report, "notes"),
        submitted=_text(report, "submit_date")[:10],
        submitter=_text(report, "submitter_name"),
    )


def _text(report: dict[str, Any], field: str) -> str:
    value = report.get(field)
    return str(value).strip() if isinstance(value, str | int) else ""


def _lines(report: dict[str, Any], field: str) -> str:
    """A text of several lines, the first one's indentation kept."""
    value = report.get(field)
    text = value if isinstance(value, str) else ""
    return text.replace("\r\n", "\n").strip("\n").rstrip()
