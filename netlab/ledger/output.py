"""Records into one file: encoded, written, and counted when that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netlab.escaping import escape
from netlab.ledger.records import LOST, Format, Record
from netlab.ledger.writer import RecordFile

# Costs of encoding, in units of some 5 microseconds: a record is one, so many bytes
# are one, and so many are done in one go.
_BYTES, _GO = 4096, 24


class Output:
    """One file of records in one format.

    ``file`` is made by ``open_file(footer)``. ``on_error(text)`` is called for the
    first record that cannot be encoded; ``now()`` gives the time in nanoseconds.
    ``failed`` counts the records that the file lacks because writing failed.
    """

    def __init__(
        self,
        form: Format,
        open_file: Callable[[Callable[[], bytes]], RecordFile],
        on_error: Callable[[str], None],
        now: Callable[[], int],
    ) -> None:
        self.failed = 0
        self._form = form
        self._on_error = on_error
        self._now = now
        self._written = 0
        self._lost = 0  # of all records, for whatever reason
        self._unsaid = 0  # of these, those of which the file says nothing yet
        self._said = False
        self._file = open_file(self._footer)
        self._file.write(())

    def write(self, batch: Sequence[Record], pause: Callable[[], None]) -> None:
        """Writes ``batch``; calls ``pause()`` now and then, so that others get to run."""
        if not self._file.ready():
            for record in batch:
                self._skip(record)
            return
        encoded: list[bytes] = []
        said: list[int] = []  # how many missing ones each of them tells of
        done = 0
        for record in batch:
            if record[0] not in self._form.kinds:
                self._skip(record)
                continue
            try:
                data = self._form.encode(record, self._unsaid)
            except Exception as error:  # a caller's mistake must not end the writer
                self._fail(1)
                self._report(error)
                continue
            encoded.append(data)
            said.append(self._unsaid)
            self._unsaid = 0
            done += 1 + len(data) // _BYTES
            if done >= _GO:
                pause()
                done = 0
        taken = self._file.write(encoded)
        self._written += taken
        self._fail(len(encoded) - taken)
        self._unsaid += sum(said[taken:])

    def close(self) -> None:
        """Says what is missing at the end, and closes the file."""
        if self._unsaid and (ending := self._form.ending(self._unsaid)):
            self._file.write((ending,))
        self.failed += self._file.close()

    def _skip(self, record: Record) -> None:
        """Counts a record that is not written."""
        if record[0] == LOST:
            missing = self._form.missing(record)
            self._lost += missing
            self._unsaid += missing
        elif record[0] in self._form.kinds:
            self._fail(1)

    def _fail(self, count: int) -> None:
        self.failed += count
        self._lost += count
        self._unsaid += count

    def _footer(self) -> bytes:
        return self._form.footer(self._now(), self._written, self._lost)

    def _report(self, error: Exception) -> None:
        if not self._said:
            self._said = True
            why = escape(f"{type(error).__name__}: {error}")
            self._on_error(f"{self._form.what}: a record cannot be written: {why}")
