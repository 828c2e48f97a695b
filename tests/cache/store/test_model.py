"""A store against a plain table, whatever is done in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from netlab.cache.policy import Entry
from netlab.cache.store import Store, open_store
from tests.cache.store.support import entry, files, opened, put

keys = st.sampled_from(["http://example.org/a", "http://example.org/b"])
selectings = st.sampled_from([(), (("accept", None),), (("accept", "text/html"),)])
contents = st.sampled_from([b"", b"one", b"two", b"three" * 50_000])


class InMemory(RuleBasedStateMachine):
    """The table has what is stored, and its content, by key and selecting fields."""

    def __init__(self) -> None:
        super().__init__()
        self.table: dict[tuple[str, object], tuple[Entry, bytes]] = {}
        self.time = 1e9
        self.store = self.opened()

    def opened(self) -> Store:
        return open_store(None)

    def now(self) -> float:
        self.time += 1
        return self.time

    @rule(key=keys, selecting=selectings, content=contents)
    def put(self, key: str, selecting: tuple[tuple[str, str | None], ...], content: bytes) -> None:
        stored = put(self.store, entry(key, selecting=selecting, at=self.now()), content)
        self.table[key, selecting] = stored, content

    @rule(content=contents)
    def abort(self, content: bytes) -> None:
        writing = self.store.begin()
        writing.write(content)
        writing.abort()

    @precondition(lambda self: self.table)
    @rule(data=st.data(), selecting=selectings, stale=st.booleans())
    def update(
        self, data: st.DataObject, selecting: tuple[tuple[str, str | None], ...], stale: bool
    ) -> None:
        old, content = data.draw(st.sampled_from(list(self.table.values())))
        new = replace(old, selecting=selecting, response_time=self.now())
        if stale:  # what it is about has changed in the meantime
            self.store.update(replace(old, status=299), new)
            return
        self.store.update(old, new)
        del self.table[old.key, old.selecting]
        self.table[new.key, new.selecting] = new, content

    @precondition(lambda self: self.table)
    @rule(data=st.data(), stale=st.booleans())
    def remove(self, data: st.DataObject, stale: bool) -> None:
        old, _ = data.draw(st.sampled_from(list(self.table.values())))
        if stale:
            self.store.remove(replace(old, status=299))
            return
        self.store.remove(old)
        del self.table[old.key, old.selecting]

    @rule(key=keys)
    def purge(self, key: str) -> None:
        own = [each for each in self.table if each[0] == key]
        assert self.store.purge(key) == len(own)
        for each in own:
            del self.table[each]

    @rule()
    def purge_all(self) -> None:
        assert self.store.purge_all() == len(self.table)
        self.table.clear()

    @rule()
    def flush(self) -> None:
        self.store.flush()
        assert self.store.stats.entries == len(self.table)

    @invariant()
    def same(self) -> None:
        for key in ("http://example.org/a", "http://example.org/b"):
            expected = {each for each, _ in self.table.values() if each.key == key}
            assert set(self.store.entries(key)) == expected
        for each, content in self.table.values():
            assert self.store.content(each) in (content, None)
            assert opened(self.store, each) == content

    def teardown(self) -> None:
        self.store.close()


class OnDisk(InMemory):
    """A disk; nothing is kept in memory but for the smallest."""

    def __init__(self) -> None:
        place = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = Path(tempfile.mkdtemp(dir=place))
        self.notes: list[str] = []
        super().__init__()

    def opened(self) -> Store:
        return open_store(
            self.folder / "cache", memory_bytes=1 << 16, max_bytes=1 << 24, told=self.notes.append
        )

    @rule(index_lost=st.booleans())
    def reopen(self, index_lost: bool) -> None:
        self.store.close()
        if index_lost:
            (self.folder / "cache" / "index.sqlite").unlink()
        self.store = self.opened()
        assert all("was missing" in note for note in self.notes)

    @rule()
    def on_disk(self) -> None:
        """Each entry has its file, each content has one, and there are no others."""
        self.store.flush()
        names = {Path(each).name for each in files(self.folder / "cache")}
        wanted = {each.body_digest for each, _ in self.table.values()}
        assert wanted <= names
        assert len(names) == len(wanted) + len(self.table)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


TestInMemory = InMemory.TestCase
TestInMemory.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
