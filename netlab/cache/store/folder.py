"""The folder of a store: what lies where, and who may use it.

CACHEDIR.TAG         says that it is a cache, and ours (https://bford.info/cachedir/)
lock                 held by the process that uses it
index.sqlite         the index; can be deleted while no process uses it
contents/ab/abcd…    contents, named by their SHA-256
entries/ab/abcd…     entries with a checksum each: what the index is rebuilt from
tmp/                 what is being written, and what is being deleted
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from netlab.cache.store.interface import StoreFailed
from netlab.cache.store.records import NAME
from netlab.errors import ConfigurationError
from netlab.escaping import escape

_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# A cache of netlab, layout 1. It can be deleted while no process uses it.\n"
)
_SUBFOLDERS = [f"{number:02x}" for number in range(256)]
_OURS = 0o700  # what is cached is for this user's eyes
_NEW = {"lost+found"}  # what lies in a file system that was just made


class Folder:
    """The folder ``path``, which is made if it is not there; locked for this process.

    Raises ``ConfigurationError`` if it cannot be written, is not a cache, or is in use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"cache folder '{escape(str(path))}'"
        self._number = 0
        self._lock = -1
        try:
            path.mkdir(mode=_OURS, parents=True, exist_ok=True)
            self._recognize()
            self._take()
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise
        except OSError as error:
            raise ConfigurationError(
                f"{self.name}: {error.strerror}; name a folder that this program may write in"
            ) from error

    @property
    def index(self) -> Path:
        """Where the index is."""
        return self.path / "index.sqlite"

    def close(self) -> None:
        """Lets another process use it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # -- names

    def content(self, digest: str) -> str:
        """The path of a content."""
        return f"{self.path}/contents/{digest[:2]}/{digest}"

    def record(self, name: str) -> str:
        """The path of an entry."""
        return f"{self.path}/entries/{name[:2]}/{name}"

    def aside(self) -> str:
        """A path for what is not to be seen: it is deleted when the store is opened."""
        self._number += 1
        return f"{self.path}/tmp/{self._number}"

    def failed(self, error: Exception) -> StoreFailed:
        """What to raise when the operating system or the index reports an error."""
        return StoreFailed(f"{self.name}: {_said(error)}")

    # -- entries

    def write_record(self, name: str, record: bytes) -> None:
        """Writes an entry down, in the place of the one with its name.

        It is not synced: the index has it too, and a checksum is in it.
        """
        aside = self.aside()
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                write_all(descriptor, record)
            finally:
                os.close(descriptor)
            os.rename(aside, self.record(name))
        except OSError:
            unlink(aside)
            raise

    def read_record(self, name: str) -> bytes:
        """What was written."""
        return Path(self.record(name)).read_bytes()

    def records(self, part: str = "") -> Iterator[str]:
        """The names of the entries that begin with ``part``, two digits or more, or of all."""
        return self._listed("entries", part)

    def contents(self, part: str = "") -> Iterator[str]:
        """The digests of the contents, likewise."""
        return self._listed("contents", part)

    def _listed(self, kind: str, part: str) -> Iterator[str]:
        for sub in [part[:2]] if part else _SUBFOLDERS:
            for name in os.listdir(f"{self.path}/{kind}/{sub}"):
                if name.startswith(part) and NAME.fullmatch(name):
                    yield name

    # -- all of them

    def set_aside(self, kind: str) -> str:
        """Takes all ``entries`` or ``contents`` away at once; ``delete`` what is returned."""
        aside = self.aside()
        os.rename(self.path / kind, aside)
        self._make(kind)
        return aside

    def delete(self, aside: str) -> None:
        """Deletes what was set aside; what cannot be deleted is left for the next start."""
        shutil.rmtree(aside, ignore_errors=True)

    def sync(self, subfolders: set[str]) -> None:
        """Makes sure that the names in these folders survive a power cut."""
        for each in subfolders:
            try:
                descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:  # set aside meanwhile: nothing in it is wanted any more
                continue
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    # -- opening

    def _recognize(self) -> None:
        try:
            tag = (self.path / "CACHEDIR.TAG").read_bytes()
        except FileNotFoundError:
            tag = b""
        if tag == _TAG:
            return
        others = set(os.listdir(self.path)) - _NEW - {"CACHEDIR.TAG", "lock"}
        if _TAG.startswith(tag) and not others:  # new, or its making was interrupted
            return
        if tag.startswith(_TAG[: _TAG.index(b"layout")]):
            raise ConfigurationError(
                f"{self.name}: another version of netlab has made it; "
                "delete it, or name another folder"
            )
        found = f"there is a '{escape(min(others), 60)}' in it" if others else "its tag says so"
        raise ConfigurationError(
            f"{self.name}: it is not a cache of netlab, {found}; name an empty or a new folder"
        )

    def _take(self) -> None:
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)
        except BlockingIOError:
            process = os.pread(self._lock, 20, 0).strip().decode("ascii", "replace")
            self.close()
            raise ConfigurationError(
                f"{self.name}: process {escape(process) or 'unknown'} is using it; "
                "stop that one, or name another folder"
            ) from None
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        tag = self.path / "CACHEDIR.TAG"
        if not tag.exists() or tag.read_bytes() != _TAG:
            tag.write_bytes(_TAG)  # first, so that all that follows is known to be ours
        shutil.rmtree(self.path / "tmp", ignore_errors=True)
        os.makedirs(self.path / "tmp", _OURS, exist_ok=True)
        self._make("entries")
        self._make("contents")

    def _make(self, kind: str) -> None:
        path = f"{self.path}/{kind}"
        os.makedirs(path, _OURS, exist_ok=True)
        there = set(os.listdir(path))
        for sub in _SUBFOLDERS:
            if sub not in there:
                os.mkdir(f"{path}/{sub}", _OURS)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes to a file until nothing is left: a full disk takes a part before it refuses."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def unlink(path: str) -> None:
    """Deletes a file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _said(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.strerror}; nothing is stored until there is room"
    return error.strerror
