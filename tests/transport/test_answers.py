"""What a handler returns, before the connection sees it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Generator
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport.answers import begin, discard, message_of


class Foreign(Awaitable[bytes]):
    """An awaitable that is neither a coroutine nor a Deferred."""

    def __await__(self) -> Generator[Any, Any, bytes]:
        return b"foreign"
        yield


class Begin(SynchronousTestCase):
    def test_plain_values_pass(self) -> None:
        for value in (b"x", None, 7, "text"):
            self.assertIs(begin(value), value)

    def test_coroutine_that_never_pauses(self) -> None:
        """Its value is there at once: no Deferred is made."""

        async def ready() -> bytes:
            return b"ready"

        self.assertEqual(begin(ready()), b"ready")
        self.assertEqual(begin(Foreign()), b"foreign")

    def test_coroutine_that_pauses(self) -> None:
        first: Deferred[bytes] = Deferred()
        second: Deferred[bytes] = Deferred()

        async def slow() -> bytes:
            try:
                return await first
            except ZeroDivisionError:
                return await second

        pending = begin(slow())
        self.assertNoResult(pending)
        first.errback(ZeroDivisionError())
        self.assertNoResult(pending)
        second.callback(b"late")
        self.assertEqual(self.successResultOf(pending), b"late")

    def test_coroutine_that_is_forgotten(self) -> None:
        """When nothing is left of what it waits for, it ends without a word."""
        ended: list[bool] = []

        async def waiting() -> None:
            try:
                await Deferred[None]()
            finally:
                ended.append(True)

        said: list[object] = []
        with mock.patch.object(sys, "unraisablehook", said.append):
            for closed in (False, True):
                coroutine = waiting()
                pending = begin(coroutine)
                if closed:  # as the collector does, if it comes to this first
                    coroutine.close()
                del pending, coroutine
                gc.collect()
        self.assertEqual((ended, said), ([True, True], []))

    def test_error_before_the_first_pause(self) -> None:
        async def broken() -> None:
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, begin, broken())

    def test_deferred_is_itself(self) -> None:
        deferred: Deferred[bytes] = Deferred()
        self.assertIs(begin(deferred), deferred)


class Others(SynchronousTestCase):
    def test_messages(self) -> None:
        for value in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
            self.assertEqual(message_of(value), b"abc")
            self.assertIs(type(message_of(value)), bytes)
        for wrong in ("abc", 3, ["abc"]):
            error = self.assertRaises(TypeError, message_of, wrong)
            self.assertIn(f"returned {type(wrong).__name__}", str(error))

    def test_discard(self) -> None:
        """Nothing is left that would complain of not having been waited for."""
        told: list[Any] = []
        deferred: Deferred[Any] = Deferred()

        def tell(failure: Failure) -> None:
            told.append(failure.type)

        deferred.addErrback(tell)

        async def never() -> None:
            raise AssertionError("it was begun")

        for each in (b"x", None, never(), deferred):
            discard(each)
        self.assertEqual(told, [CancelledError])
