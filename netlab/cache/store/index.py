"""The index of a store, in SQLite: which entries there are, and when they were used.

It is read much more than it is written. WAL with ``synchronous = NORMAL`` syncs at
checkpoints only, which the thread that syncs contents makes. A power cut can so
take back the last transactions, in their order, and nothing else
(https://www.sqlite.org/wal.html, "Performance Considerations"):

- an entry that was added is missing: a miss;
- an entry that was updated is as it was before: it was right then, and its own
  freshness says how long it may be used;
- an entry that was removed is back. The file of an entry is deleted before its row;
  where that was not undone too, the row is dropped at the next start. Where it was,
  the entry may be served for as long as it is fresh, as if the removal had come a
  moment too late; caches cannot promise more about invalidation (RFC 9111, 4.4).

The end of the process, ``kill -9`` included, takes nothing back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from netlab.cache.store.records import blocks, key_part

_VERSION = 1
_WAIT = 1.0  # seconds: only a person with a tool of his own can be in the way
_NOT_ITS_FAULT = (
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
)
_TABLE = """
CREATE TABLE entries (
    name BLOB PRIMARY KEY,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    used INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX by_digest ON entries (digest);
CREATE INDEX by_use ON entries (used);
"""
# SQLite takes any value in any column, so damage can make what it calls intact.
_WRONG = """
SELECT 1 FROM entries WHERE typeof(name) <> 'blob' OR length(name) <> 32
OR typeof(digest) <> 'blob' OR length(digest) <> 32 OR typeof(size) <> 'integer'
OR typeof(used) <> 'integer' OR typeof(record) <> 'blob' LIMIT 1
"""
_RECORDS = "SELECT CAST(name AS BLOB), CAST(record AS BLOB) FROM entries"


class Index:
    """The index in the file ``path``; whoever uses it holds a lock.

    Raises ``sqlite3.Error`` from any method. ``intact`` says whether it is one;
    if it is not, ``make`` it first.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self.size = 0
        """In bytes, what the entries and contents take on the disk."""
        self._path = path
        self._tick = 0
        if not path.exists():
            _delete(path)  # a log alone is of an index that someone has deleted
        self._db = sqlite3.connect(
            path, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )

    def intact(self) -> bool:
        """Whether the file is an index, of this version and without damage."""
        try:
            self._configure()
            if self._db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                return False
            if self._db.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                return False
            if self._db.execute(_WRONG).fetchone() is not None:
                return False
            self._measure()
        except UnicodeDecodeError:  # of SQLite's message about damage
            return False
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in _NOT_ITS_FAULT:
                raise
            return False
        return True

    def make(self, rows: Iterable[tuple[str, str, int, bytes]]) -> None:
        """Makes the file anew, of what is given as for ``put``: whole, or not at all."""
        self._db.close()
        _delete(self._path)
        self._db = sqlite3.connect(
            self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )
        self._configure()
        with self.writing():
            for statement in _TABLE.split(";\n"):
                self._db.execute(statement)
            for name, digest, size, record in rows:
                self.put(name, digest, size, record)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def _configure(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")  # see ``checkpoint``

    def _measure(self) -> None:
        records = self._db.execute("SELECT length(record) FROM entries").fetchall()
        contents = self._db.execute("SELECT DISTINCT digest, size FROM entries").fetchall()
        self.count = len(records)
        self.size = sum([blocks(size) for (size,) in records])
        self.size += sum([blocks(size) for _, size in contents])
        self._tick = self._db.execute("SELECT coalesce(max(used), 0) FROM entries").fetchone()[0]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, whole or not at all."""
        before = self.count, self.size
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self.count, self.size = before
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def checkpoint(self) -> None:
        """Puts all that was written into the file itself, synced.

        On a connection of its own, so that it needs no lock and nobody waits for it.
        """
        db = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            db.close()

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    # -- what is in it

    def records(self, key: str) -> list[tuple[str, bytes]]:
        """The names and records under a cache key."""
        part = bytes.fromhex(key_part(key))
        found = self._db.execute(
            f"{_RECORDS} WHERE name BETWEEN ? AND ?",
            (part, part + b"\xff" * (32 - len(part))),
        )
        return [(name.hex(), record) for name, record in found.fetchall()]

    def names(self) -> list[bytes]:
        """The names of all entries, in binary."""
        return [name for (name,) in self._db.execute("SELECT name FROM entries").fetchall()]

    def digests(self) -> list[bytes]:
        """The digests of all contents, in binary."""
        found = self._db.execute("SELECT DISTINCT digest FROM entries").fetchall()
        return [digest for (digest,) in found]

    def with_content(self, digest: str) -> list[tuple[str, bytes]]:
        """The names and records of the entries with this content."""
        found = self._db.execute(f"{_RECORDS} WHERE digest = ?", (bytes.fromhex(digest),))
        return [(name.hex(), record) for name, record in found.fetchall()]

    def refers_to(self, digest: str) -> bool:
        """Whether any entry has this content."""
        return self._refers_to(bytes.fromhex(digest))

    def oldest(self, count: int) -> list[tuple[str, bytes]]:
        """The names and records of those that were not used for longest."""
        found = self._db.execute(f"{_RECORDS} ORDER BY used LIMIT ?", (count,))
        return [(name.hex(), record) for name, record in found.fetchall()]

    # -- what changes it: within ``writing``

    def put(self, name: str, digest: str, size: int, record: bytes) -> list[str]:
        """Adds an entry, or puts it in the place of the one with its name.

        Returns the digest of the content that none has any more because of that, if any.
        """
        freed = self.delete([name])
        binary = bytes.fromhex(digest)
        if not self._refers_to(binary):
            self.size += blocks(size)
        self._tick += 1
        self._db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
            (bytes.fromhex(name), binary, size, self._tick, record),
        )
        self.size += blocks(len(record))
        self.count += 1
        return [each for each in freed if each != digest]

    def delete(self, names: Iterable[str]) -> list[str]:
        """Deletes entries that are there; returns the digests of contents that none has then."""
        freed = []
        for name in names:
            found = self._db.execute(
                "DELETE FROM entries WHERE name = ? RETURNING digest, size, length(record)",
                (bytes.fromhex(name),),
            ).fetchall()
            for digest, size, length in found:
                self.count -= 1
                self.size -= blocks(length)
                if not self._refers_to(digest):
                    self.size -= blocks(size)
                    freed.append(digest.hex())
        return freed

    def clear(self) -> None:
        """Deletes all entries."""
        self._db.execute("DELETE FROM entries")
        self.count = self.size = 0

    def touch(self, keys: Iterable[str]) -> None:
        """The entries under these cache keys are now the last that were used."""
        for key in keys:
            part = bytes.fromhex(key_part(key))
            self._tick += 1
            self._db.execute(
                "UPDATE entries SET used = ? WHERE name BETWEEN ? AND ?",
                (self._tick, part, part + b"\xff" * (32 - len(part))),
            )

    def _refers_to(self, digest: bytes) -> bool:
        found = self._db.execute("SELECT 1 FROM entries WHERE digest = ? LIMIT 1", (digest,))
        return found.fetchone() is not None


def _delete(path: Path) -> None:
    """Deletes an index, such that no log of it is ever taken for that of another."""
    aside = path.with_name("tmp") / path.name
    if path.exists():
        path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    aside.unlink(missing_ok=True)
