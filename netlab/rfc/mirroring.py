"""All RFCs into a folder, which ``twistd netlab rfc --mirror`` serves.

What is there is not fetched again: see ``Mirroring``. A file gets its name when all of it
is on the disk. Texts are taken into the search while others come.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import NamedTuple
from urllib.parse import urlsplit

from netlab.escaping import escape
from netlab.fields import Fields, parse_date, parse_entity_tag, parse_seconds
from netlab.rfc.asking import Asker, NotThere, OutOfReach, Reply
from netlab.rfc.errata import parse_errata
from netlab.rfc.freshness import DOCUMENT_LIFETIME
from netlab.rfc.index import Index, UnreadableListing, parse_index
from netlab.rfc.indexing import Indexing
from netlab.rfc.names import Form, Listing
from netlab.rfc.pace import Pace
from netlab.rfc.records import Record, Records, search_of

_MISSING = "the upstream has no such file"
_TRIES = 3  # for one file
_BATCH = 256  # files that get their names at once, or
_OFTEN = 1.0  # as many as come in this many seconds
_ENDING = 2.0  # seconds for the threads to see that it is over


class _File(NamedTuple):
    """A file to be fetched."""

    name: str
    uri: str


class _Came(NamedTuple):
    """What came of a file: a record, with the place where it lies if it is new; or why nothing."""

    name: str
    record: Record | None = None
    place: Path | None = None
    why: str = ""


@dataclass
class Report:
    """What was done. ``failed`` has the names of files, and why they did not come."""

    total: int = 0
    """How many files there should be."""
    kept: int = 0
    """Of these, how many were there and not asked for."""
    same: int = 0
    """How many were asked for, and have not changed."""
    fetched: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    why: str = ""
    """Why it ended before all was asked for; or empty."""
    searchable: int = 0
    """How many texts can be searched."""
    unsearched: str = ""
    """Why not all of them can be; or empty."""

    @property
    def done(self) -> int:
        """How many files it has dealt with."""
        return self.kept + self.same + self.fetched + len(self.failed)


class Mirroring:
    """Copies what ``base``, the URL of an upstream's documents, has into ``folder``.

    forms  the formats that are wanted
    jobs   how many connections ask at a time
    told   is called with a sentence when the listing of errata is missing
    rest   how many seconds are rested after a first failure: see ``netlab.rfc.pace``
    clock  the time in seconds since the epoch

    A file that has the size it had when it came is there. A week after the upstream was
    asked for it, it is asked whether that is still so. Any other file is fetched; if it is
    what is there already, that stays.

    Raises ``ConfigurationError`` for a folder that cannot be written in, or in which
    another process does the same.
    """

    def __init__(
        self,
        base: str,
        folder: Path,
        forms: Iterable[Form],
        *,
        jobs: int = 4,
        told: Callable[[str], None] = lambda _: None,
        rest: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.report = Report()
        self._base = base
        self._host = escape(urlsplit(base).netloc, 80)
        self._folder = folder
        self._forms = tuple(dict.fromkeys(forms))
        self._told = told
        self._clock = clock
        self._pace = Pace(rest)
        self._askers = [Asker(base) for _ in range(jobs)]
        self._records = Records(folder)
        self._indexing = Indexing(folder, search_of(folder))
        self._came: deque[_Came] = deque()
        self._ready = Event()  # there is a batch, or a thread has ended
        self._taking = Lock()

    def close(self) -> None:
        """Lets go of the folder."""
        for asker in self._askers:
            asker.close()
        self._records.close()

    def run(self, progress: Callable[[Report], None] = lambda _: None) -> Report:
        """Does it; ``progress`` is called now and then. Whatever ends it, what came is kept.

        Raises ``OutOfReach`` if there is no index.
        """

        def tell() -> None:
            self.report.searchable = self._indexing.count
            progress(self.report)

        index = self._index()
        self._errata()
        self._indexing.start(index.entries.values())
        try:
            self._copy(index, tell)
        except BaseException:
            self._indexing.stop()
            raise
        self._indexing.finish(tell)
        tell()
        self.report.unsearched = self._indexing.why
        return self.report

    def _copy(self, index: Index, tell: Callable[[], None]) -> None:
        """Fetches the documents that are not there."""
        files = list(self._wanted(index))
        self.report.total += len(files)
        wanted = []
        for file in files:
            if self._is_there(file.name):
                self.report.kept += 1
                self._indexing.put(file.name, is_new=False)
            else:
                wanted.append(file)
        tell()
        ahead = iter(wanted)
        threads = [
            Thread(target=self._work, args=(asker, ahead), daemon=True) for asker in self._askers
        ]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                self._ready.wait(_OFTEN)
                self._ready.clear()
                self._publish(self._taken())
                tell()
        except BaseException:
            self._break_off(threads)
            raise
        self._publish(self._taken())
        self.report.why = self._pace.why

    def _taken(self) -> list[_Came]:
        """What has come since the last time."""
        return [self._came.popleft() for _ in range(len(self._came))]

    def _break_off(self, threads: list[Thread]) -> None:
        """Ends the threads, and gives names to what they brought until then."""
        self._pace.stop("interrupted")
        for asker in self._askers:
            asker.break_off()
        until = time.monotonic() + _ENDING
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0))
        self._publish([came for came in self._taken() if not came.why])

    # -- the listings

    def _index(self) -> Index:
        try:
            data = self._listing(Listing.INDEX)
            if data is None:
                where = " nor ".join(Listing.INDEX.urls(self._base))
                raise NotThere(f"there is no index: it is neither at {where}")
            index = parse_index(data)
        except UnreadableListing as error:
            raise OutOfReach(f"{self._host}: {error}") from error
        return index

    def _errata(self) -> None:
        try:
            if self._listing(Listing.ERRATA, parse_errata) is None:
                self._told(f"{self._host} has no {Listing.ERRATA}: the mirror has none either")
        except (OutOfReach, UnreadableListing) as error:
            self.report.failed.append((Listing.ERRATA.value, str(error)))

    def _listing(
        self, listing: Listing, check: Callable[[bytes], object] = parse_index
    ) -> bytes | None:
        """A listing, as it is in the folder now; ``None`` if the upstream has none.

        One that ``check`` raises an error for does not get there.
        """
        for uri in listing.urls(self._base):
            came = self._fetch(self._askers[0], _File(listing.value, uri), tries=1)
            if came is None or came.why == _MISSING:
                continue
            if came.why:
                raise OutOfReach(came.why)
            data = (came.place or self._folder / listing.value).read_bytes()
            check(data)
            self.report.total += 1
            self._publish([came])
            return data
        return None

    # -- the documents

    def _wanted(self, index: Index) -> Iterator[_File]:
        for entry in index.entries.values():
            for form in self._forms:
                # All have a record in JSON, which the index says of none.
                if form is Form.JSON or form in entry.formats or not entry.formats:
                    name = entry.name.to(form)
                    yield _File(name.file_name, name.url(self._base))

    def _is_there(self, name: str) -> bool:
        record = self._valid(name)
        return record is not None and record.asked > self._clock() - DOCUMENT_LIFETIME

    def _valid(self, name: str) -> Record | None:
        """The record of a file that is as it was when it came."""
        record = self._records.get(name)
        try:
            size = os.stat(self._folder / name).st_size
        except OSError:
            return None
        return record if record is not None and record.size == size else None

    def _work(self, asker: Asker, files: Iterator[_File]) -> None:
        """Fetches files until there are no more; in a thread."""
        try:
            while self._pace.wait():
                with self._taking:
                    file = next(files, None)
                if file is None:
                    break
                came = self._fetch(asker, file, _TRIES)
                if came is not None:
                    self._came.append(came)
                    if len(self._came) >= _BATCH:
                        self._ready.set()
        finally:
            asker.close()
            self._ready.set()

    def _fetch(self, asker: Asker, file: _File, tries: int) -> _Came | None:
        """What comes of a file; ``None`` if it ended meanwhile."""
        record = self._valid(file.name)
        tag = record.tag if record else ""
        asking = Fields([("If-None-Match", tag)] if tag else [])
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
                return _Came(file.name, why=_MISSING)
            said = escape(f"{reply.status} {reply.reason}".strip(), 60)
            why = f"{self._host} answers {said}"
            self._pace.failed(why, _retry_after(reply, self._clock()))
        return _Came(file.name, why=why)

    def _received(self, file: _File, reply: Reply, record: Record | None) -> _Came:
        tag = reply.fields.get("etag") or ""
        if parse_entity_tag(tag) is None:
            tag = ""
        now = int(self._clock())
        if reply.status == 304 and record:
            return _Came(file.name, record._replace(asked=now, tag=tag or record.tag))
        came = Record(file.name, len(reply.content), now, tag)
        try:
            if self._has(file.name, reply.content):
                return _Came(file.name, came)
            place = self._records.new / file.name
            place.write_bytes(reply.content)
        except OSError as error:
            why = f"it cannot be written: {error.strerror or error}"
            self._pace.stop(why)
            return _Came(file.name, why=why)
        return _Came(file.name, came, place)

    def _has(self, name: str, content: bytes) -> bool:
        """Whether ``content`` is what is in the folder under this name."""
        place = self._folder / name
        try:
            return place.stat().st_size == len(content) and place.read_bytes() == content
        except FileNotFoundError:
            return False

    def _publish(self, batch: list[_Came]) -> None:
        """Gives names to the files that came, and writes that down."""
        new = [came.place for came in batch if came.place is not None]
        try:
            if new:
                os.sync()  # once for all of them: a file gets its name when it is on the disk
            for place in new:
                if place.exists():  # else that was done before an interruption
                    os.replace(place, self._folder / place.name)
        except KeyboardInterrupt:
            self._came.extendleft(batch)
            raise
        self._records.add(came.record for came in batch if came.record is not None)
        for came in batch:
            if came.record is None:
                self.report.failed.append((came.name, came.why))
                continue
            if came.place is None:
                self.report.same += 1
            else:
                self.report.fetched += 1
            self._indexing.put(came.name, is_new=came.place is not None)


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
