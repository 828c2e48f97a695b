"""The SQLite file that the search is kept in: several processes and threads use it at once.

Source: https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from netlab.errors import ConfigurationError, NetlabError
from netlab.escaping import escape

_WAIT = 30.0  # seconds, for another process that writes
_PAGE = 16384  # bytes of the file that are read and written at once
_LOG = 64 << 20  # bytes that are written before they are moved to their places


class SearchFailed(NetlabError):
    """The search index could not be read or written; the message says why."""

    kind = "search_failed"


class Database:
    """The file ``path``, with the tables that ``tables``, statements of SQL, make.

    A file of another ``version`` loses its tables, those named in ``older`` and all virtual
    ones, and gets these. ``:memory:`` is a path, too. Raises ``ConfigurationError`` if the
    file cannot be one, and ``SearchFailed`` from any method if it cannot be used.

    Who reads does not wait for who writes, unless in memory.
    """

    def __init__(self, path: str, version: int, tables: str, older: tuple[str, ...]) -> None:
        self._path = path
        self._version = version
        try:
            self._writer = self._reader = self._connect()
            self._write_lock = self._read_lock = RLock()
            try:
                self._prepare(tables, older)
                if path != ":memory:":
                    self._reader = self._connect()
                    self._read_lock = RLock()
            except BaseException:
                self.close()
                raise
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"search index '{escape(path)}': {error}; {_hint(error)}"
            ) from error

    def close(self) -> None:
        """Closes the file; the object is of no more use."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()  # the last one takes the log away

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, whole or not at all; waits for other processes' to end."""
        with self._told(), self._write_lock, _transaction(self._writer):
            yield self._writer

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All that is read within is of one moment."""
        with self._told(), self._read_lock:
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE}")  # of a new file
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG // _PAGE}")
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, tables: str, older: tuple[str, ...]) -> None:
        if self._found_version() == self._version:
            return
        db = self._writer
        with _transaction(db):
            if self._found_version() == self._version:  # another process was first
                return
            marks = ", ".join("?" * len(older))
            for kind, name in db.execute(
                "SELECT type, name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'"
                " UNION ALL SELECT type, name FROM sqlite_master WHERE type = 'table'"
                f" AND name IN ({marks})",
                older,
            ).fetchall():
                db.execute(f'DROP {kind} IF EXISTS "{name}"')
            for statement in tables.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {self._version}")

    def _found_version(self) -> int:
        return int(self._writer.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SearchFailed(f"search index '{escape(self._path)}': {error}") from error


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # a full disk may have ended it already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _hint(error: sqlite3.Error) -> str:
    """What to do when a search index cannot be opened."""
    if "fts5" in str(error):
        return "Python's sqlite3 needs an SQLite with FTS5"
    if isinstance(error, sqlite3.OperationalError):
        return "its folder must be there, and this program be allowed to write in it"
    return "if it is damaged, delete it: it is made again"
