"""All RFCs into a folder, which ``twistd netlab rfc --mirror`` serves.

What is there is not fetched again: see ``Mirroring``. A file gets its name when all of it
is on the disk. Texts are taken into the search while others come.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

from netlab.rfc.asking import Asker, NotThere, OutOfReach
from netlab.rfc.copying import MISSING, Came, Copier, File
from netlab.rfc.entries import Entry
from netlab.rfc.errata import parse_errata
from netlab.rfc.index import IndexReader, UnreadableListing
from netlab.rfc.indexing import Indexing
from netlab.rfc.names import Form, Listing
from netlab.rfc.pace import Pace
from netlab.rfc.records import Records, search_of

_TRIES = 3  # for one file
_PIECE = 512 << 10  # bytes of the index that are read at once: 40 ms
_BATCH = 256  # files that get their names at once, or
_OFTEN = 1.0  # as many as come in this many seconds
_SOON = 0.1  # seconds, until more of the index is read
_ENDING = 2.0  # seconds for the threads to see that it is over


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
        self._folder = folder
        self._forms = tuple(dict.fromkeys(forms))
        self._told = told
        self._pace = Pace(rest)
        self._askers = [Asker(base) for _ in range(jobs)]
        self._records = Records(folder)
        self._copier = Copier(base, folder, self._records, self._pace, clock)
        self._indexing = Indexing(folder, search_of(folder))
        self._ahead: SimpleQueue[File | None] = SimpleQueue()  # None: there are no more
        self._came: deque[Came] = deque()
        self._ready = Event()  # there is a batch, or a thread has ended

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

        found = self._listing(Listing.INDEX)
        if found is None:
            where = " nor ".join(Listing.INDEX.urls(self._base))
            raise NotThere(f"there is no index: it is neither at {where}")
        self._errata()
        self._indexing.start()
        try:
            self._copy(*found, tell)
        except BaseException:
            self._indexing.stop()
            raise
        self._indexing.finish(tell)
        tell()
        self.report.unsearched = self._indexing.why
        return self.report

    def _copy(self, index: Came, data: bytes, tell: Callable[[], None]) -> None:
        """Fetches the documents that are not there, while it reads the index, ``data``."""
        planning = self._plan(index, data)
        more = next(planning, False)  # if it is no index, nothing is asked for
        threads = [Thread(target=self._work, args=(asker,), daemon=True) for asker in self._askers]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                wait = _OFTEN if not more else 0.0 if self._ahead.empty() else _SOON
                is_ready = self._ready.wait(wait)
                self._ready.clear()
                if is_ready or not more:
                    self._publish(self._taken())
                more = more and next(planning, False)
                tell()
            for _ in planning:  # it ended before the index did
                pass
        except BaseException:
            self._break_off(threads)
            raise
        self._publish(self._taken())
        self.report.why = self._pace.why

    def _taken(self) -> list[Came]:
        """What has come since the last time."""
        return [self._came.popleft() for _ in range(len(self._came))]

    def _break_off(self, threads: list[Thread]) -> None:
        """Ends the threads, and gives names to what they brought until then."""
        self._pace.stop("interrupted")
        for asker in self._askers:
            asker.break_off()
            self._ahead.put(None)
        until = time.monotonic() + _ENDING
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0))
        self._publish([came for came in self._taken() if not came.why])

    # -- the listings

    def _listing(self, listing: Listing) -> tuple[Came, bytes] | None:
        """What came of a listing, which is to be checked; ``None`` if the upstream has none."""
        for uri in listing.urls(self._base):
            came = self._copier.fetch(self._askers[0], File(listing.value, uri), tries=1)
            if came is None or came.why == MISSING:
                continue
            if came.why:
                raise OutOfReach(came.why)
            return came, Path(came.place or self._folder / listing.value).read_bytes()
        return None

    def _take(self, listing: Came) -> None:
        """A listing is a good one: now it gets into the folder."""
        self.report.total += 1
        self._publish([listing])

    def _errata(self) -> None:
        try:
            found = self._listing(Listing.ERRATA)
            if found is None:
                host = self._copier.host
                self._told(f"{host} has no {Listing.ERRATA}: the mirror has none either")
                return
            came, data = found
            parse_errata(data)
        except (OutOfReach, UnreadableListing) as error:
            self.report.failed.append((Listing.ERRATA.value, str(error)))
        else:
            self._take(came)

    # -- the documents

    def _plan(self, listing: Came, data: bytes) -> Iterator[bool]:
        """Reads the index, a piece at each step, and says what is to be fetched."""
        reader = IndexReader()
        try:
            for at in range(0, len(data), _PIECE):
                for entry in reader.feed(data[at : at + _PIECE]):
                    self._want(entry)
                yield True
            index = reader.close()
        except UnreadableListing as error:
            raise OutOfReach(f"{self._copier.host}: {error}") from error
        for _ in self._askers:
            self._ahead.put(None)
        self._take(listing)
        self._indexing.learn(index.entries.values())

    def _want(self, entry: Entry) -> None:
        for form in self._forms:
            # All have a record in JSON, which the index says of none.
            if form is Form.JSON or form in entry.formats or not entry.formats:
                name = entry.name.to(form)
                number = entry.number if form is Form.TXT else 0
                file = File(name.file_name, name.url(self._base), number)
                self.report.total += 1
                if self._copier.has(file.name):
                    self.report.kept += 1
                    self._indexing.put(file.number, is_new=False)
                else:
                    self._ahead.put(file)

    def _work(self, asker: Asker) -> None:
        """Fetches files until there are no more; in a thread."""
        try:
            while self._pace.wait():
                file = self._ahead.get()
                if file is None:
                    break
                came = self._copier.fetch(asker, file, _TRIES)
                if came is not None:
                    self._came.append(came)
                    if len(self._came) >= _BATCH:
                        self._ready.set()
        finally:
            asker.close()
            self._ready.set()

    def _publish(self, batch: list[Came]) -> None:
        """Gives names to the files that came, and writes that down."""
        new = [came for came in batch if came.place]
        try:
            if new:
                os.sync()  # once for all of them: a file gets its name when it is on the disk
            for came in new:
                with suppress(FileNotFoundError):  # that was done before an interruption
                    os.replace(came.place, f"{self._folder}/{came.file.name}")
        except KeyboardInterrupt:
            self._came.extendleft(batch)
            raise
        self._records.add(came.record for came in batch if came.record is not None)
        for came in batch:
            if came.record is None:
                self.report.failed.append((came.file.name, came.why))
                continue
            if came.place:
                self.report.fetched += 1
            else:
                self.report.same += 1
            self._indexing.put(came.file.number, is_new=bool(came.place))
