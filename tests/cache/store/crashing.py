"""Stores that end in the middle of something: a program that forks, for ``test_crash``.

``python -m tests.cache.store.crashing FOLDER points 1`` ends a child at each call of the
operating system and each statement of the index in turn, ``… points 7`` at every
seventh; ``… kills 25`` kills 25 children that write without end. Each time it opens the
folder and looks whether what is there may be there.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from netlab.cache.policy import Entry
from netlab.cache.store import Store, open_store
from netlab.cache.store.disk import SMALL
from netlab.fields import Fields
from tests.cache.store.support import entry, opened

KEYS = [f"http://example.org/{name}" for name in "abcdef"]
REMOVES = ("remove", "purge", "purge_all")
WRITES = ("put", "same", "update")
ENDED = 9  # what a child exits with that has come to its point


class Step(Struct):
    """One call: its number is the version that it makes."""

    kind: str
    key: str = ""


PLAN = [
    Step("purge_all"),
    Step("put", KEYS[0]),
    Step("put", KEYS[1]),
    Step("flush"),
    Step("put", KEYS[0]),
    Step("update", KEYS[1]),
    Step("put", KEYS[2]),
    Step("update", KEYS[2]),
    Step("flush"),
    Step("update", KEYS[2]),
    Step("remove", KEYS[1]),
    Step("abort", KEYS[3]),
    Step("same", KEYS[3]),
    Step("same", KEYS[4]),
    Step("flush"),
    Step("purge", KEYS[3]),
    Step("put", KEYS[5]),
    Step("remove", KEYS[5]),
    Step("put", KEYS[5]),
    Step("flush"),
    Step("touch", KEYS[5]),
]


def plans(seed: int) -> Iterator[Step]:
    """Steps without end."""
    dice = random.Random(seed)
    yield Step("purge_all")
    kinds = ["put"] * 8 + ["same", "update", "update", "remove", "purge", "abort", "flush"]
    while True:
        yield Step(dice.choice(kinds), dice.choice(KEYS))


def body(version: int) -> bytes:
    """The content that a step writes; sometimes one that is not kept in memory."""
    data = b"content %d." % version
    return data * (1 + (SMALL + 1) // len(data)) if version % 13 == 4 else data * (version % 7)


def versioned(key: str, version: int, content: int) -> Entry:
    fields = Fields([("X-Version", str(version)), ("X-Content", str(content))])
    return entry(key, fields=fields, at=1e9 + version)


def number(of: Entry, name: str) -> int:
    return int(of.fields.get(name) or "")


def do(store: Store, version: int, step: Step) -> None:
    current = store.entries(step.key)
    if step.kind == "put" or step.kind == "same" or step.kind == "abort":
        content = 1 if step.kind == "same" else version
        writing = store.begin()
        data = body(content)
        writing.write(data[:100])
        writing.write(data[100:])
        if step.kind == "abort":
            writing.abort()
        else:
            writing.commit(versioned(step.key, version, content))
            writing.close()
    elif step.kind == "update" and current:
        old = current[0]
        new = versioned(step.key, version, number(old, "x-content"))
        store.update(old, replace(new, body_digest=old.body_digest, body_size=old.body_size))
    elif step.kind == "remove" and current:
        store.remove(current[0])
    elif step.kind == "purge":
        store.purge(step.key)
    elif step.kind == "purge_all":
        store.purge_all()
    elif step.kind == "flush":
        store.flush()


def perform(folder: Path, steps: Iterator[Step], log: int) -> None:
    """Does the steps, and says into a pipe which it begins and which are done."""
    store = opening(folder)
    for version, step in enumerate(steps):
        tell(log, b"<")
        do(store, version, step)
        tell(log, b">")
    store.close()


_write = os.write


def tell(log: int, mark: bytes) -> None:
    _write(log, mark)


def opening(folder: Path) -> Store:
    def told(text: str) -> None:
        raise AssertionError(text)  # nothing is damaged by the end of a process

    return open_store(folder, max_bytes=1 << 28, memory_bytes=1 << 20, told=told)


def check(folder: Path, steps: list[Step], begun: int, done: int, where: str) -> None:
    """Opens the folder, and looks at what is there when so many steps were begun and done."""
    with opening(folder) as store:
        look(store, steps[:begun], done, where)
    (folder / "index.sqlite").unlink()
    notes: list[str] = []
    with open_store(folder, max_bytes=1 << 28, memory_bytes=1 << 20, told=notes.append) as store:
        look(store, steps[:begun], done, f"{where}, index deleted", rebuilt=True)
    assert all("was missing" in note for note in notes), (where, notes)


def look(store: Store, steps: list[Step], done: int, where: str, *, rebuilt: bool = False) -> None:
    """Whether what is there may be there after these steps, of which so many are done."""
    for key in KEYS:
        variants = store.entries(key)
        assert len(variants) < 2, (where, variants)
        for each in variants:
            data = body(number(each, "x-content"))
            small = store.content(each)
            assert small == (data if len(data) <= SMALL // 4 else None), (where, each)
            assert opened(store, each) == data, (where, each)
        if done:  # else what the one before has left may still be there
            versions = [number(each, "x-version") for each in variants]
            history = [(at, step.kind) for at, step in enumerate(steps) if step.key in (key, "")]
            wrong = mistake(versions, history, done, rebuilt=rebuilt)
            assert not wrong, (where, key, wrong, versions, history, done)


def mistake(
    versions: list[int], history: list[tuple[int, str]], done: int, *, rebuilt: bool
) -> str:
    """What is wrong with the versions that are there of a key, if anything."""
    removed = max(at for at, kind in history if at < done and kind in REMOVES)
    flushed = max([at for at, kind in history if at < done and kind == "flush"], default=0)
    written = [at for at, kind in history if kind in WRITES and removed < at]
    while written and dict(history)[written[0]] == "update":  # of nothing
        del written[0]
    if not set(versions) <= set(written):
        return "is back"
    synced = [at for at in written if at < flushed]
    if not synced or any(kind in REMOVES and at > removed for at, kind in history):
        return ""
    if not versions:
        # An index that is made anew lacks what was just being replaced: see ``recovery``.
        return "" if rebuilt and written[-1] > flushed else "is lost"
    return "is old" if versions[0] < synced[-1] else ""


def child(run: Callable[[int], Any], kill_after: int | None = None) -> tuple[int, int, int]:
    """Runs in a child; returns how it ended, and how many steps were begun and done."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        status = 1
        try:
            os.close(reading)
            run(writing)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    marks = b""
    while data := os.read(reading, 1 << 16):
        marks += data
        if kill_after is not None and len(marks) >= kill_after:
            os.kill(process, signal.SIGKILL)
    os.close(reading)
    status = os.waitpid(process, 0)[1]
    return status, marks.count(b"<"), marks.count(b">")


def ending(at: int) -> None:
    """Ends this process when it comes to the call of that number."""
    count = 0

    def point(before: Callable[[], object] = lambda: None) -> None:
        nonlocal count
        count += 1
        if count == at:
            before()
            os._exit(ENDED)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counts(*args: Any, **kwargs: Any) -> Any:
            point()
            return call(*args, **kwargs)

        return counts

    def write(descriptor: int, data: bytes) -> int:
        point(lambda: _write(descriptor, data[: len(data) // 2]))
        return _write(descriptor, data)

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = sqlite_connect(*args, **kwargs)
        db.set_trace_callback(lambda _statement: point())
        return db

    sqlite_connect = sqlite3.connect
    os.write = write  # type: ignore[assignment]
    os.fsync = counted(lambda _descriptor: None)
    os.rename, os.unlink = counted(os.rename), counted(os.unlink)
    os.open, os.pwrite = counted(os.open), counted(os.pwrite)
    sqlite3.connect = connect  # type: ignore[assignment]


def points(folder: Path, stride: int) -> int:
    """Ends at each point of the plan, or at one of ``stride``; returns how many there are."""
    at = 1 - stride
    while True:
        at += stride

        def run(log: int, at: int = at) -> None:
            ending(at)
            perform(folder, iter(PLAN), log)

        status, begun, done = child(run)
        check(folder, PLAN, begun, done, f"point {at}")
        if status == 0:
            return at
        assert os.waitstatus_to_exitcode(status) == ENDED, (at, status)


def kills(folder: Path, times: int) -> int:
    """Kills processes at any moment; returns how many."""
    dice = random.Random(2324)
    for seed in range(times):
        status, begun, done = child(
            lambda log, seed=seed: perform(folder, plans(seed), log),  # type: ignore[misc]
            kill_after=dice.randrange(1, 400),
        )
        assert os.WIFSIGNALED(status), (seed, status)
        steps = plans(seed)
        check(folder, [next(steps) for _ in range(begun)], begun, done, f"kill {seed}")
    return times


if __name__ == "__main__":
    kept = Path(sys.argv[1])
    print((points if sys.argv[2] == "points" else kills)(kept, int(sys.argv[3])))
