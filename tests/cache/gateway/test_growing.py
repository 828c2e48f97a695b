"""A content that is read while it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.gateway import growing
from netlab.cache.gateway.growing import Growing, Reader
from netlab.cache.store import StoreFailed
from netlab.http import RequestError
from tests.cache.gateway.support import Full

BROKEN = RequestError(502, "broken off")


class Reading:
    """Reads all of a content; or piece by piece, when it is told."""

    def __init__(self, reader: Reader, *, at_once: bool = True) -> None:
        self.reader = reader
        self.content = b""
        self.over = False
        self.error: Exception | None = None
        self.at_once = at_once
        self._go: Deferred[None] = Deferred()
        self._running = Deferred.fromCoroutine(self._run())

    async def _run(self) -> None:
        try:
            while True:
                if not self.at_once:
                    await self._go
                self.content += await self.reader.__anext__()
        except StopAsyncIteration:
            self.over = True
        except (RequestError, CancelledError) as error:
            self.error = error
        finally:
            await self.reader.aclose()

    def step(self) -> None:
        """Lets it read one piece."""
        go, self._go = self._go, Deferred()
        if not go.called:
            go.callback(None)

    def finish(self) -> None:
        self.at_once = True
        self.step()

    def leave(self) -> None:
        self._running.cancel()


def writer(content: Growing, pieces: list[bytes]) -> Deferred[None]:
    """Adds ``pieces``, as a flight does."""

    async def run() -> None:
        for piece in pieces:
            await content.add(piece)
        content.end()

    return Deferred.fromCoroutine(run())


class GrowingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Full()
        self.abandoned = 0

    def grow(self, *, failed: bool = False) -> Growing:
        if failed:
            return Growing(None, StoreFailed("no"), abandoned=self._abandon)
        return Growing(self.store.begin(), abandoned=self._abandon)

    def _abandon(self) -> None:
        self.abandoned += 1


class Readers(GrowingCase):
    def test_read_while_it_comes(self) -> None:
        content = self.grow()
        first = Reading(content.reader())
        self.successResultOf(Deferred.fromCoroutine(content.add(b"ab")))
        second = Reading(content.reader())
        self.assertEqual((first.content, second.content), (b"ab", b"ab"))
        self.successResultOf(Deferred.fromCoroutine(content.add(b"cd")))
        content.end()
        self.assertEqual((first.content, second.content), (b"abcd", b"abcd"))
        self.assertTrue(first.over and second.over)
        self.assertFalse(content.joinable)

    def test_error_comes_behind_what_came(self) -> None:
        content = self.grow()
        slow = Reading(content.reader(), at_once=False)
        self.successResultOf(Deferred.fromCoroutine(content.add(b"ab")))
        content.end(BROKEN)
        self.assertFalse(content.joinable)
        slow.finish()
        self.assertEqual((slow.content, slow.error, slow.over), (b"ab", BROKEN, False))

    def test_traces_do_not_gather(self) -> None:
        content = self.grow()
        content.end(RequestError(502, "broken off"))
        depths = []
        for _ in range(3):
            error: Any = Reading(content.reader()).error
            depth, trace = 0, error.__traceback__
            while trace is not None:
                depth, trace = depth + 1, trace.tb_next
            depths.append(depth)
        self.assertEqual(len(set(depths)), 1)

    def test_disk_full_in_the_middle(self) -> None:
        self.store.room = 3
        content = self.grow()
        early = Reading(content.reader())
        late = Reading(content.reader(), at_once=False)
        done = writer(content, [b"abc", b"def", b"ghi"])
        self.successResultOf(done)
        self.assertIsNotNone(content.failure)
        late.finish()
        self.assertEqual((early.content, late.content), (b"abcdefghi", b"abcdefghi"))

    def test_the_slowest_sets_the_pace(self) -> None:
        """Nothing can be stored: what is kept for a reader has a bound."""
        self.patch(growing, "_WINDOW", 10)
        content = self.grow(failed=True)
        slow = Reading(content.reader(), at_once=False)
        done = writer(content, [b"x" * 8] * 4)
        self.assertNoResult(done)
        self.assertLessEqual(len(content._window), 16)
        slow.finish()
        self.successResultOf(done)
        self.assertEqual(slow.content, b"x" * 32)

    def test_nothing_waits_for_who_left(self) -> None:
        self.patch(growing, "_WINDOW", 10)
        content = self.grow(failed=True)
        slow = Reading(content.reader(), at_once=False)
        quick = Reading(content.reader())
        done = writer(content, [b"x" * 8] * 4)
        self.assertNoResult(done)
        slow.leave()
        self.successResultOf(done)
        self.assertEqual(quick.content, b"x" * 32)
        self.assertEqual(self.abandoned, 0)

    def test_abandoned(self) -> None:
        content = self.grow(failed=True)
        reading = Reading(content.reader())
        self.assertTrue(content.wanted)
        reading.leave()
        reading.reader.close()
        self.assertEqual((self.abandoned, content.joinable), (1, False))
        self.assertFalse(content.wanted)
        content.end(BROKEN)

    def test_stored_without_readers(self) -> None:
        content = self.grow()
        Reading(content.reader()).leave()
        self.assertEqual((self.abandoned, content._waiting), (0, {}))
        self.assertTrue(content.wanted)
        content.end(BROKEN)
        self.assertEqual(self.store.stats.bytes_in_memory, 0)

    def test_nobody_joins_what_is_closed(self) -> None:
        content = self.grow()
        reading = Reading(content.reader())
        content.end()
        self.assertTrue(reading.over)
        self.assertFalse(content.joinable)

    def test_nobody_joins_where_the_beginning_is_gone(self) -> None:
        self.patch(growing, "_WINDOW", 10)
        content = self.grow(failed=True)
        self.assertTrue(content.joinable)
        reading = Reading(content.reader())
        self.successResultOf(Deferred.fromCoroutine(content.add(b"x" * 20)))
        self.assertFalse(content.joinable)
        content.end()
        self.assertEqual(reading.content, b"x" * 20)

    def test_what_is_stored_cannot_be_read(self) -> None:
        content = self.grow()
        slow = Reading(content.reader(), at_once=False)
        self.successResultOf(Deferred.fromCoroutine(content.add(b"ab")))
        assert content.writing is not None
        content.writing.close()
        slow.finish()
        self.assertIsInstance(slow.error, RequestError)
        content.end(BROKEN)


STEPS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=30).map(lambda data: ("add", data)),
        st.tuples(st.just("join"), st.booleans()),
        st.tuples(st.just("step"), st.integers(0, 5)),
        st.tuples(st.just("leave"), st.integers(0, 5)),
        st.just(("full", None)),
    ),
    max_size=40,
)


class AnyInterleaving(GrowingCase):
    @settings(max_examples=200)
    @given(
        STEPS,
        st.booleans(),
        st.sampled_from([None, BROKEN]),
    )
    def test_all_bytes_or_an_error(
        self, steps: list[tuple[str, Any]], failed: bool, error: RequestError | None
    ) -> None:
        self.patch(growing, "_WINDOW", 20)
        self.patch(growing, "PIECE", 7)
        self.setUp()
        content = self.grow(failed=failed)
        readers: list[Reading] = []
        left: set[Reading] = set()
        whole = b""
        pending: list[bytes] = []
        adding: list[Deferred[None]] = []

        def go_on() -> None:
            """The flight adds one piece after the other."""
            while pending and all(each.called for each in adding):
                adding.append(Deferred.fromCoroutine(content.add(pending.pop(0))))

        def pick(number: int) -> Reading | None:
            return readers[number % len(readers)] if readers else None

        actions: dict[str, Callable[[Any], None]] = {}

        def join(at_once: bool) -> None:
            if content.joinable:
                readers.append(Reading(content.reader(), at_once=at_once))

        def step(number: int) -> None:
            found = pick(number)
            if found is not None:
                found.step()

        def leave(number: int) -> None:
            found = pick(number)
            if found is not None and not found.over:
                left.add(found)
                found.leave()

        def full(_: None) -> None:
            self.store.room = 0

        actions = {"add": pending.append, "join": join, "step": step, "leave": leave, "full": full}
        for action, argument in steps:
            if action == "add":
                whole += argument
            actions[action](argument)
            go_on()
        for each in readers:
            each.finish()
        go_on()
        while pending:  # nobody is behind any more
            go_on()
        content.end(error)
        for each in readers:
            self.assertTrue(whole.startswith(each.content))
            if each not in left:
                self.assertEqual(each.content, whole)
                self.assertEqual((each.over, each.error), (error is None, error))
        self.assertEqual(self.store.stats.bytes_in_memory, 0)
        self.assertEqual(content._readers, set())
