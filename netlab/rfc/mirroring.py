"""All RFCs into a folder, which ``twistd netlab rfc --mirror`` serves.

What is there is not fetched again: see ``Mirroring``. A file gets its name when all of it
is on the disk. Texts are taken into the search while others come.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from netlab.rfc.asking import NotThere, OutOfReach
from netlab.rfc.copying import MISSING, Came, Copier, File
from netlab.rfc.entries import Entry
from netlab.rfc.errata import parse_errata
from netlab.rfc.index import IndexReader, UnreadableListing
from netlab.rfc.indexing import Indexing
from netlab.rfc.names import Form, Listing
from netlab.rfc.pace import Pace
from netlab.rfc.records import Records, search_of

_PIECE = 64 << 10  # bytes of the index that are read at once: 5 ms
_SOON = 0.002  # seconds: if nothing comes by then, more of the index is read
_BATCH = 256  # files that get their names at once, or
_FIRST = 32  # files, at the beginning: who takes texts in waits for them
_OFTEN = 1.0  # as many as come in this many seconds


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
        self._records = Records(folder)
        self._copier = Copier(base, folder, self._records, self._pace, jobs=jobs, clock=clock)
        self._indexing = Indexing(folder, search_of(folder))
        self._wanted: set[str] = set()
        self._came: list[Came] = []

    def close(self) -> None:
        """Lets go of the folder."""
        self._copier.close()
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
            self._indexing.finish(tell)
        except BaseException:
            self._indexing.stop()
            raise
        tell()
        self.report.unsearched = self._indexing.why
        return self.report

    def _copy(self, index: Came, data: bytes, tell: Callable[[], None]) -> None:
        """Fetches the documents that are not there, while it reads the index, ``data``."""
        planning = _Undisturbed(self._plan(index, data))
        more = next(planning, False)  # if it is no index, nothing is asked for
        tell()
        told = time.monotonic()
        batch = min(_FIRST, _BATCH)
        try:
            while not self._copier.is_done or more:
                came = self._copier.work(_SOON if more else _OFTEN)
                self._came += came
                if more and not (came and self._copier.ahead):
                    more = next(planning, False)
                now = time.monotonic()
                if len(self._came) >= batch or now - told >= _OFTEN:
                    told = now
                    batch = min(2 * batch, _BATCH)
                    self._publish()
                    tell()
        except BaseException:
            self._copier.close()
            for _ in planning:  # of an interruption it is told how much is left
                pass
            self._came = [came for came in self._came if not came.why]
            self._publish()
            raise
        self._publish()
        self.report.why = self._pace.why

    # -- the listings

    def _listing(self, listing: Listing) -> tuple[Came, bytes] | None:
        """What came of a listing, which is to be checked; ``None`` if the upstream has none."""
        for uri in listing.urls(self._base):
            came = self._copier.fetch(File(listing.value, uri))
            if came.why == MISSING:
                continue
            if came.why:
                raise OutOfReach(came.why)
            return came, Path(came.place or self._folder / listing.value).read_bytes()
        return None

    def _take(self, listing: Came) -> None:
        """A listing is a good one: now it gets into the folder."""
        self.report.total += 1
        self._came.append(listing)

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
            self.report.total += 1
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
        self._take(listing)
        self._indexing.learn(index.entries.values())

    def _want(self, entry: Entry) -> None:
        for form in self._forms:
            # All have a record in JSON, which the index says of none.
            if form is Form.JSON or form in entry.formats or not entry.formats:
                name = entry.name.to(form)
                number = entry.number if form is Form.TXT else 0
                file = File(name.file_name, name.url(self._base), number)
                if file.name in self._wanted:  # an index may name a document twice
                    continue
                self._wanted.add(file.name)
                self.report.total += 1
                if self._copier.has(file.name):
                    self.report.kept += 1
                    self._indexing.put(file.number, is_new=False)
                else:
                    self._copier.ahead.append(file)

    def _publish(self) -> None:
        """Gives names to the files that came, and writes that down."""
        new = [came for came in self._came if came.place]
        if new:
            # Until the new editions are taken in, the old ones are not to be found.
            self._indexing.withdraw([came.file.number for came in new])
            os.sync()  # once for all of them: a file gets its name when it is on the disk
        wrong = {}
        for came in new:
            try:
                os.replace(came.place, f"{self._folder}/{came.file.name}")
            except FileNotFoundError:
                pass  # that was done before an interruption
            except OSError as error:
                wrong[came.file.name] = f"it cannot be written: {error.strerror}"
        batch, self._came = self._came, []
        try:
            self._records.add(
                came.record
                for came in batch
                if came.record is not None and came.file.name not in wrong
            )
        except OSError as error:
            self._pace.stop(f"it cannot be written down what came: {error.strerror}")
        for came in batch:
            why = wrong.get(came.file.name, came.why)
            if why:
                self.report.failed.append((came.file.name, why))
                continue
            if came.place:
                self.report.fetched += 1
            else:
                self.report.same += 1
            self._indexing.put(came.file.number, is_new=bool(came.place))


class _Undisturbed:
    """An iterator of which each step is whole: Ctrl-C comes between two of them."""

    def __init__(self, steps: Iterator[bool]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[bool]:
        return self

    def __next__(self) -> bool:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return next(self._steps)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
