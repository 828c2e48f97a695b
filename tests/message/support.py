"""What the tests of messages share: an application that does everything, and a log to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from netlab import LengthPrefix, MessageFactory, MessageProtocol, NetlabError
from netlab.testing import MemoryServer, serve

FRAMING = LengthPrefix()
BIG = 3000  # bytes of the answers to "big"


def frames(*messages: bytes) -> bytes:
    """The bytes of ``messages`` on the wire."""
    return FRAMING.encode_many(messages)


def blank(server: MemoryServer) -> bool:
    """Whether nothing of the server is left: no stream, no delayed call."""
    streams = server.server.streams.streams
    return not streams and not server.stats.active and not server.clock.getDelayedCalls()


@contextmanager
def logged(*containing: str) -> Iterator[list[str]]:
    """Collects the text of the log events that contain one of ``containing``."""
    lines: list[str] = []

    def observing(event: LogEvent) -> None:
        text = formatEvent(event)
        if any(each in text for each in containing):
            failure = event.get("log_failure")
            lines.append(text + (f": {failure.value!r}" if failure is not None else ""))

    observe: Any = observing
    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


class Broken(Exception):
    """What a handler of these tests raises on purpose."""


class Recording(MessageProtocol):
    """Keeps what it hears of; subclasses answer."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.reasons: list[NetlabError | None] = []

    def message_received(self, message: bytes) -> Any:
        self.seen.append(message)
        return message

    def disconnected(self, reason: NetlabError | None) -> None:
        self.reasons.append(reason)


class Waiting(Recording):
    """Answers each message when the test says so: ``waiting[n].callback(answer)``."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Deferred[Any]] = []

    def message_received(self, message: bytes) -> Any:
        self.seen.append(message)
        self.waiting.append(Deferred())
        return self.waiting[-1]


def handling(handler: Callable[[Recording, bytes], Any]) -> type[Recording]:
    """A protocol that keeps a record, and then does what ``handler`` does."""

    class Handling(Recording):
        def message_received(self, message: bytes) -> Any:
            self.seen.append(message)
            return handler(self, message)

    return Handling


class Slow(Recording):
    """Takes a tenth of a second for each answer."""

    async def message_received(self, message: bytes) -> bytes:
        self.seen.append(message)
        factory: Any = self.factory
        return await deferLater(factory.clock, 0.1, lambda: message)


def slow_server(**options: Any) -> MemoryServer:
    class Factory(MessageFactory):
        protocol = Slow

    factory: Any = Factory()
    link = serve(factory, **options)
    factory.clock = link.clock
    return link


class Script(MessageProtocol):
    """Does what a message's first byte says, and keeps a record of everything.

    ``calls`` are the messages received, ``answers`` what went or should have
    gone to the peer, in order; ``faults`` what should never happen.
    """

    factory: ScriptFactory

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.answers: list[bytes] = []
        self.reasons: list[NetlabError | None] = []
        self.faults: list[str] = []
        self.over = False
        self._inside = False
        self._pending = False

    def message_received(self, message: bytes) -> Any:
        if self._inside or self._pending:
            self.faults.append(f"{message!r} came within another")
        if self.over or self.reasons:
            self.faults.append(f"{message!r} came after the end")
        self.calls.append(message)
        self._inside = True
        try:
            return self._tell(ACTIONS[message[:1]](self, message))
        except Exception:
            self.over = True
            raise
        finally:
            self._inside = False

    def _tell(self, reply: Any) -> Any:
        if isinstance(reply, bytes | bytearray | memoryview):
            self.answers.append(bytes(reply))
        elif isinstance(reply, Deferred):
            self._pending = True
            reply.addBoth(self._settled)
        elif reply is not None and hasattr(reply, "send"):
            return self._awaited(reply)
        else:
            self.over = self.over or reply is not None
        return reply

    async def _awaited(self, reply: Any) -> Any:
        self._pending = True
        try:
            value = await reply
        except BaseException:
            self.over = True
            raise
        finally:
            self._pending = False
        return self._tell(value)

    def _settled(self, value: Any) -> Any:
        self._pending = False
        if isinstance(value, bytes):
            self.answers.append(value)
        return value

    def push(self, message: bytes) -> Any:
        """``send``, on the record."""
        sending = self.send(message)
        self.answers.append(message)
        return sending

    def end(self, how: Callable[[], None]) -> None:
        """``close`` or ``abort``, on the record."""
        self.over = True
        how()

    def disconnected(self, reason: NetlabError | None) -> None:
        self.reasons.append(reason)

    def later(self, value: Any = None, seconds: float = 0.3) -> Deferred[Any]:
        """A Deferred that fires with ``value``."""
        return deferLater(self.factory.clock, seconds, lambda: value)


class ScriptFactory(MessageFactory):
    """Knows every protocol it made, in order; ``clock`` is set by ``script``."""

    protocol = Script
    clock: Clock

    def __init__(self) -> None:
        self.made: list[Script] = []

    def build(self) -> MessageProtocol:
        protocol = Script()
        self.made.append(protocol)
        return protocol


async def _ready(self: Script, message: bytes) -> bytes:
    return message


async def _slow(self: Script, message: bytes) -> bytes:
    await self.later()
    await succeed(None)
    await self.later()
    return message


async def _pushing(self: Script, message: bytes) -> None:
    for _ in range(5):
        await self.push(message.ljust(BIG))


async def _swallowing(self: Script, message: bytes) -> bytes:
    try:
        await Deferred()
    except Exception:
        await self.later()
    return message


async def _failing(self: Script, message: bytes) -> bytes:
    raise Broken(message)


async def _failing_later(self: Script, message: bytes) -> bytes:
    await self.later()
    raise Broken(message)


async def _closing_later(self: Script, message: bytes) -> None:
    await self.later()
    self.end(self.close)
    await self.later()


async def _big(self: Script, message: bytes) -> bytes:
    return message.ljust(BIG)


def _pushing_blindly(self: Script, message: bytes) -> None:
    for _ in range(5):
        self.push(message.ljust(BIG))


def _failing_now(self: Script, message: bytes) -> bytes:
    raise Broken(message)


def _closing(self: Script, message: bytes) -> bytes:
    self.push(message)
    self.end(self.close)
    return message


def _aborting(self: Script, message: bytes) -> bytes:
    self.end(self.abort)
    return message


ANSWERING: dict[bytes, Callable[[Script, bytes], Any]] = {
    b"s": lambda self, message: message,
    b"r": _ready,
    b"w": _slow,
    b"f": lambda self, message: succeed(message),
    b"d": lambda self, message: self.later(message),
    b"a": lambda self, message: bytearray(message),
    b"m": lambda self, message: memoryview(message),
    b"n": lambda self, message: None,
    b"N": lambda self, message: self.later(None),
}
"""The kinds of handlers there are: an answer, none, at once or later."""

ACTIONS: dict[bytes, Callable[[Script, bytes], Any]] = {
    **ANSWERING,
    b"b": lambda self, message: message.ljust(BIG),
    b"g": _big,
    b"P": _pushing,
    b"p": _pushing_blindly,
    b"x": _failing_now,
    b"y": _failing,
    b"z": _failing_later,
    b"c": _closing,
    b"C": _closing_later,
    b"A": _aborting,
    b"t": lambda self, message: "a str",
    b"h": lambda self, message: Deferred(),
    b"H": _swallowing,
}
"""And everything else that a handler may do."""
