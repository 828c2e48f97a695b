"""A file of records that is always whole: bounded, and patient when the disk is full.

What is once begun is finished before anything else is written, however often
that has to be tried, so half a record never has good ones behind it. A header
is such a beginning. When the file is closed and there is still no room, the
half is cut off.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile
from mmap import ACCESS_READ, mmap
from typing import Protocol

from netlab.errors import ConfigurationError
from netlab.escaping import escape

RETRY = 1.0
"""Seconds from a write that failed to the next attempt."""

_LONGEST = 256 * 1024  # bytes; no record has as many
_HEAD = 16


class Kind(Protocol):
    """What the file has to know of what is in it; see ``netlab.ledger.records.Format``."""

    what: str

    def header(self) -> bytes:
        """What it begins with."""

    def is_ours(self, head: bytes) -> bool:
        """Whether a file that begins so may be continued."""

    def whole(self, data: bytes | mmap) -> int:
        """How many bytes at the start of ``data``, such a file, are whole records."""


class RecordFile:
    """Appends records to the file at ``path``, which is created with ``mode`` less the umask.

    - ``kind`` knows the format; ``footer()`` is what the file ends with.
    - ``max_bytes``: before the file would grow above it, it becomes ``path.1``,
      replacing an earlier one, and a new file begins. Only a single record that is
      longer makes a longer file.
    - ``on_error(text)`` is called when writing begins to fail.

    A file that exists is continued; half a record at its end, left by a crash, is
    cut off, and when more is wrong with it, it becomes ``path.1``. The file is locked
    (flock(2)), so that no two write to it. A pipe or a terminal works too, without a
    bound, unless ``regular`` asks for a file; a pipe needs its reader first.

    Raises ``ConfigurationError`` when the file cannot be opened, is of another kind,
    or is being written already.
    """

    def __init__(
        self,
        path: str,
        kind: Kind,
        *,
        mode: int,
        max_bytes: int,
        footer: Callable[[], bytes] = bytes,
        on_error: Callable[[str], None],
        regular: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._mode = mode
        self._max_bytes = max_bytes
        self._footer = footer
        self._on_error = on_error
        self._clock = clock
        self._failing = False
        self._retry_at = 0.0
        self._taken = 0  # of the records being written
        self._fd = -1
        self._rest = b""  # of what is under way
        self._half = False  # and that is a record
        self._size = 0  # of the file, and of it what is whole records
        self._whole = 0
        self._empty = 0  # bytes of a file with no record in it
        self._ending = 0  # and of its footer
        self._ended = False  # the footer is written, or under way
        self._name = f"{kind.what} '{escape(path)}'"
        if path == "-":
            raise ConfigurationError(
                f"{self._name}: give the name of a file; standard output is /dev/stdout"
            )
        try:
            self._regular = _is_regular(path)
            # Where it is moved from must not depend on where the process moves to.
            self._path = os.path.realpath(path) if self._regular else os.path.abspath(path)
            if regular and not self._regular:
                raise ConfigurationError(f"{self._name}: it must be a file")
            self._begin(self._open())
            if self._size:
                self._continue()
        except BaseException as error:
            if self._fd >= 0:
                os.close(self._fd)
            if isinstance(error, OSError):
                raise ConfigurationError(f"{self._name}: {_why(error)}") from error
            raise

    def ready(self) -> bool:
        """Whether a write may be tried: there was no error, or it is ``RETRY`` seconds ago."""
        return not self._failing or self._clock() >= self._retry_at

    def write(self, records: Sequence[bytes]) -> int:
        """Appends ``records``; returns how many of them, from the first, are in the file.

        That is fewer than all only when writing fails, which raises nothing. A
        record that is half written counts: it will be finished.
        """
        self._taken = 0
        try:
            self._finish()
            while self._taken < len(records):
                self._append(records)
                self._finish()
        except OSError as error:
            self._failed(error)
        else:
            self._failing = False
        return self._taken

    def close(self) -> int:
        """Ends the file with its footer; what cannot be finished is cut off.

        Returns how many records are cut off that ``write`` had counted: 0 or 1.
        """
        if self._fd < 0:
            return 0
        try:
            self._end()
        except OSError as error:
            self._failed(error)
            self._cut()
        fd, self._fd = self._fd, -1
        try:
            os.close(fd)
        except OSError as error:  # a network file system may have kept it for now
            self._failed(error)
        return int(self._half)

    # -- writing

    def _append(self, records: Sequence[bytes]) -> None:
        """Writes as many as the file has room for, or begins a new one."""
        chosen = records[self._taken :] if self._taken else records
        data = b"".join(chosen)
        room = self._max_bytes - self._ending - self._size
        if self._regular and len(data) > room:
            if len(chosen[0]) > room and self._whole > self._empty:
                self._rotate()
                return
            ends = accumulate(map(len, chosen))
            fitting = sum(1 for _ in takewhile(room.__ge__, ends)) or 1
            chosen = chosen[:fitting]
            data = b"".join(chosen)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:] if written else data)
        finally:
            self._count(chosen, written)

    def _count(self, records: Sequence[bytes], written: int) -> None:
        """Notes that the first ``written`` bytes of ``records`` are in the file."""
        self._size += written
        for record in records:
            if written < len(record):
                if written:
                    self._taken += 1
                    self._rest, self._half = record[written:], True
                break
            self._taken += 1
            self._whole += len(record)
            written -= len(record)

    def _finish(self) -> None:
        """Writes what is left of the record, header or footer under way."""
        while self._rest:
            written = os.write(self._fd, self._rest)
            self._rest = self._rest[written:]
            self._size += written
        self._whole, self._half = self._size, False

    def _failed(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            self._rest = self._kind.header()  # for the next reader, who knows nothing yet
        self._retry_at = self._clock() + RETRY
        if not self._failing:
            self._failing = True
            self._on_error(f"{self._name}: {_why(error)}; until that changes records are lost")

    def _end(self) -> None:
        self._finish()
        if not self._ended:
            self._ended = True
            self._rest = self._footer()
            self._finish()

    def _cut(self) -> None:
        """Makes the file end with a whole record."""
        try:
            if self._regular and os.fstat(self._fd).st_size > self._whole:
                os.ftruncate(self._fd, self._whole)
        except OSError:
            pass  # it has been said that the disk fails; opening it again repairs this

    # -- opening

    def _rotate(self) -> None:
        self._end()
        self._move_away()
        fd = self._open()
        os.close(self._fd)
        self._begin(fd)

    def _move_away(self) -> None:
        """Makes the file ``path.1``, unless someone else has moved it already."""
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(self._fd)):
                os.replace(self._path, f"{self._path}.1")
        except FileNotFoundError:
            pass

    def _open(self) -> int:
        access = os.O_RDWR | os.O_CREAT if self._regular else os.O_WRONLY
        # Not to wait for a pipe's reader here, in a start-up that would never end.
        flags = access | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        fd = os.open(self._path, flags, self._mode)
        try:
            os.set_blocking(fd, True)
            if self._regular:
                _lock(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _begin(self, fd: int) -> None:
        """Takes ``fd``, just opened, as the file."""
        self._fd = fd
        self._size = self._whole = os.fstat(fd).st_size if self._regular else 0
        self._rest = self._kind.header()
        self._empty = len(self._rest)
        self._ending = len(self._footer())
        self._ended = False

    def _continue(self) -> None:
        """Makes sure that the file, which is not empty, can be continued."""
        with mmap(self._fd, 0, access=ACCESS_READ) as data:
            head = data[:_HEAD]
            if len(head) == _HEAD or not self._rest.startswith(head):
                if not self._kind.is_ours(head):
                    what = self._kind.what
                    raise ConfigurationError(
                        f"{self._name}: it exists and is no {what}; name another, or move it away"
                    )
                self._whole = self._kind.whole(data)
            else:  # not even a header, whole
                self._whole = 0
        if self._size - self._whole > _LONGEST:
            # That is no half record: something else is wrong with it.
            self._rest, self._ended = b"", True
            self._rotate()
        elif self._whole < self._size:
            os.ftruncate(self._fd, self._whole)
            self._size = self._whole


def harmless(on_error: Callable[[str], None] | None) -> Callable[[str], None]:
    """``on_error``, whose own errors must not end the thread that writes."""

    def report(text: str) -> None:
        if on_error is not None:
            try:
                on_error(text)
            except Exception:
                pass  # there is nobody left to tell

    return report


def _is_regular(path: str) -> bool:
    """Whether there is a file at ``path``, or nothing; raises ``OSError`` for a wrong thing."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        raise OSError(errno.EINVAL, "it is neither a file, a pipe nor a terminal")
    return stat.S_ISREG(mode)


def _lock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(
            errno.EBUSY, "it is being written already; each needs its own file"
        ) from error
    except OSError:
        pass  # a file system without locks


def _why(error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return "nobody reads this pipe yet: start its reader first"
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
