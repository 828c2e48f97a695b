"""A file of an upstream into a folder that is a mirror of it: asked for, and put aside."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from netlab.escaping import escape
from netlab.fields import Fields, parse_date, parse_entity_tag, parse_seconds
from netlab.rfc.answers import Reply
from netlab.rfc.asking import Asker, OutOfReach, wait
from netlab.rfc.freshness import DOCUMENT_LIFETIME
from netlab.rfc.pace import Pace
from netlab.rfc.records import Record, Records

MISSING = "the upstream has no such file"
"""Why a file did not come that is not there."""


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


@dataclass
class _Job:
    """A file that is asked for; ``left`` is how often it still may be."""

    file: File
    record: Record | None
    left: int = 3


class Copier:
    """Fetches files of the upstream at ``base`` for ``folder``, which ``records`` are of.

    ``ahead`` are those to be fetched, ``jobs`` at a time, at that ``pace``. ``clock`` is the
    time in seconds since the epoch.
    """

    def __init__(
        self,
        base: str,
        folder: Path,
        records: Records,
        pace: Pace,
        *,
        jobs: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.host = escape(urlsplit(base).netloc, 80)
        """The upstream's name, for people."""
        self.ahead: deque[File] = deque()
        # Paths are strings here: making and joining those of pathlib is half of the work.
        self._folder = str(folder)
        self._new = str(records.new)
        self._names = set(os.listdir(folder))  # what lies there when this begins
        self._records = records
        self._pace = pace
        self._clock = clock
        self._idle = [Asker(base) for _ in range(jobs)]
        self._busy: dict[Asker, _Job] = {}
        self._again: deque[_Job] = deque()

    def close(self) -> None:
        """Ends all connections, and what is asked for."""
        for asker in (*self._idle, *self._busy):
            asker.close()
        self._idle += self._busy
        self._busy.clear()

    @property
    def is_done(self) -> bool:
        """Whether nothing is asked for, nor will be."""
        return not self._busy and (self._pace.is_over or not (self.ahead or self._again))

    def has(self, name: str) -> bool:
        """Whether a file is as it was when it came, and was asked about not long ago."""
        record = self._valid(name)
        return record is not None and record.asked > self._clock() - DOCUMENT_LIFETIME

    def fetch(self, file: File) -> Came:
        """What comes of a file that all wait for; it is asked for once."""
        job = _Job(file, self._valid(file.name), 1)
        try:
            reply = self._idle[-1].ask(file.uri, _asking(job.record))
        except OutOfReach as error:
            return Came(file, why=str(error))
        return self._answered(job, reply) or Came(file, why=self._said(reply))

    def work(self, seconds: float) -> list[Came]:
        """Goes on for that time, or until something has come; returns what has."""
        came: list[Came] = []
        while self._idle and not self._pace.left and self._next(came):
            pass
        if self._idle and self._pace.left and not self._pace.is_over:
            seconds = min(seconds, self._pace.left)
        if not self._busy:
            if not came and not self.is_done:
                time.sleep(seconds)  # it is rested
            return came
        for asker in wait(self._busy, 0.0 if came else seconds):
            self._proceed(asker, came)
        return came

    def _next(self, came: list[Came]) -> bool:
        """Asks for one more file, if there is one."""
        if self._pace.is_over:
            return False
        if self.ahead:
            file = self.ahead.popleft()
            job = _Job(file, self._valid(file.name))
        elif self._again:  # last: what troubles the upstream now may be over then
            job = self._again.popleft()
        else:
            return False
        asker = self._idle[-1]
        try:
            asker.begin(job.file.uri, _asking(job.record))
        except OutOfReach as error:
            self._failed(job, str(error), None, came)
        else:
            self._idle.pop()
            self._busy[asker] = job
        return True

    def _proceed(self, asker: Asker, came: list[Came]) -> None:
        """Takes what came on a connection."""
        job = self._busy[asker]
        try:
            reply = asker.proceed()
        except OutOfReach as error:
            self._failed(job, str(error), None, came)
        else:
            if reply is None:
                return
            found = self._answered(job, reply)
            if found is not None:
                came.append(found)
            else:
                rest = _retry_after(reply, self._clock())
                self._failed(job, self._said(reply), rest, came)
        del self._busy[asker]
        self._idle.append(asker)

    def _failed(self, job: _Job, why: str, seconds: float | None, came: list[Came]) -> None:
        """It is asked for again, after a rest: of that many seconds, if the upstream says so."""
        self._pace.failed(why, seconds)
        job.left -= 1
        if job.left:
            self._again.append(job)
        else:
            came.append(Came(job.file, why=why))

    def _said(self, reply: Reply) -> str:
        return f"{self.host} answers {escape(f'{reply.status} {reply.reason}'.strip(), 60)}"

    def _answered(self, job: _Job, reply: Reply) -> Came | None:
        """What came, by an answer; ``None`` if that is none."""
        if reply.status == 200 or (reply.status == 304 and job.record):
            self._pace.succeeded()
            return self._received(job.file, reply, job.record)
        if reply.status in (404, 410):
            self._pace.succeeded()
            return Came(job.file, why=MISSING)
        return None

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
        if name not in self._names or self._size(name) != len(content):
            return False
        with open(f"{self._folder}/{name}", "rb") as old:
            return old.read() == content


def _asking(record: Record | None) -> Fields | None:
    return Fields([("If-None-Match", record.tag)]) if record and record.tag else None


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
