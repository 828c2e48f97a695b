"""A file of an upstream into a folder that is a mirror of it: asked for, and put aside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from netlab.escaping import escape
from netlab.fields import Fields, parse_date, parse_entity_tag, parse_seconds
from netlab.rfc.answers import Reply
from netlab.rfc.asking import Asker, OutOfReach
from netlab.rfc.freshness import DOCUMENT_LIFETIME
from netlab.rfc.pace import Pace
from netlab.rfc.records import Record, Records

MISSING = "the upstream has no such file"
"""Why a file did not come that is not there."""
_NOTHING = Fields()


class File(NamedTuple):
    """A file to be fetched; ``number`` is that of the RFC whose text it is, or 0."""

    name: str
    uri: str
    number: int = 0


class Came(NamedTuple):
    """What came of a file: a record, with the place where it lies if it is new; or why nothing."""

    file: File
    record: Record | None = None
    place: str = ""
    why: str = ""


class Copier:
    """Fetches files of the upstream at ``base`` for ``folder``, which ``records`` are of.

    All threads that fetch share it, and ``pace``. ``clock`` is the time in seconds since
    the epoch.
    """

    def __init__(
        self,
        base: str,
        folder: Path,
        records: Records,
        pace: Pace,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.host = escape(urlsplit(base).netloc, 80)
        """The upstream's name, for people."""
        # Paths are strings here: making and joining those of pathlib is half of the work.
        self._folder = str(folder)
        self._new = str(records.new)
        self._records = records
        self._pace = pace
        self._clock = clock

    def has(self, name: str) -> bool:
        """Whether a file is as it was when it came, and was asked about not long ago."""
        record = self._valid(name)
        return record is not None and record.asked > self._clock() - DOCUMENT_LIFETIME

    def fetch(self, asker: Asker, file: File, tries: int) -> Came | None:
        """What comes of a file; ``None`` if all was ended meanwhile."""
        record = self._valid(file.name)
        asking = Fields([("If-None-Match", record.tag)]) if record and record.tag else _NOTHING
        why = ""
        for _ in range(tries):
            if not self._pace.wait():
                return None
            try:
                reply = asker.ask(file.uri, asking)
            except OutOfReach as error:
                if self._pace.over.is_set():
                    return None
                why = str(error)
                self._pace.failed(why)
                continue
            if reply.status == 200 or (reply.status == 304 and record):
                self._pace.succeeded()
                return self._received(file, reply, record)
            if reply.status in (404, 410):
                self._pace.succeeded()
                return Came(file, why=MISSING)
            said = escape(f"{reply.status} {reply.reason}".strip(), 60)
            why = f"{self.host} answers {said}"
            self._pace.failed(why, _retry_after(reply, self._clock()))
        return Came(file, why=why)

    def _received(self, file: File, reply: Reply, record: Record | None) -> Came:
        tag = reply.fields.get("etag") or ""
        if parse_entity_tag(tag) is None:
            tag = ""
        now = int(self._clock())
        if reply.status == 304 and record:
            return Came(file, record._replace(asked=now, tag=tag or record.tag))
        came = Record(file.name, len(reply.content), now, tag)
        try:
            if self._is_there(file.name, reply.content):
                return Came(file, came)
            place = f"{self._new}/{file.name}"
            with open(place, "wb") as new:
                new.write(reply.content)
        except OSError as error:
            why = f"it cannot be written: {error.strerror or error}"
            self._pace.stop(why)
            return Came(file, why=why)
        return Came(file, came, place)

    def _valid(self, name: str) -> Record | None:
        """The record of a file that is as it was when it came."""
        record = self._records.get(name)
        return record if record is not None and record.size == self._size(name) else None

    def _size(self, name: str) -> int | None:
        """How many bytes a file in the folder has, if it is there."""
        try:
            return os.stat(f"{self._folder}/{name}").st_size
        except OSError:
            return None

    def _is_there(self, name: str, content: bytes) -> bool:
        """Whether ``content`` is what is in the folder under this name."""
        if self._size(name) != len(content):
            return False
        with open(f"{self._folder}/{name}", "rb") as old:
            return old.read() == content


def _retry_after(reply: Reply, now: float) -> float | None:
    """For how many seconds the upstream wants to be left alone (RFC 9110, 10.2.3)."""
    value = reply.fields.get("retry-after")
    if value is None:
        return None
    seconds = parse_seconds(value)
    if seconds is not None:
        return float(seconds)
    until = parse_date(value, now)
    return None if until is None else max(until - now, 0.0)
