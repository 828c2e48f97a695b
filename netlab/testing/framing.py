"""Try to break a framing: the properties that every one must have.

``check_framing`` is for netlab's own framings and for yours: call it in a test.
This module needs Hypothesis, which ``pip install netlab[test]`` brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from netlab.errors import (
    ConfigurationError,
    IncomingFrameTooLong,
    LocalProtocolError,
    OutgoingFrameTooLong,
    RemoteProtocolError,
    TruncatedFrame,
)
from netlab.framing.base import Decoder, Framing

_USUAL = 100  # bytes of the messages tried unless told otherwise
_LONGEST_TRIED = 1 << 16  # a limit above this is not tested by exceeding it


def check_framing(
    framing: Framing,
    *,
    messages: SearchStrategy[bytes] | None = None,
    max_examples: int = 100,
) -> None:
    """Raise ``AssertionError`` when ``framing`` does not do what ``Framing`` and ``Decoder`` say.

    - ``messages``: what to send; by default up to 100 arbitrary bytes. Those
      that ``encode`` refuses with ``LocalProtocolError`` are left out.
    - ``max_examples``: how many examples to try of each property.

    The properties: messages cut into any pieces come out the same, in order;
    ``encode_many`` and ``buffers`` give what ``encode`` gives; any bytes at all
    give messages or a ``RemoteProtocolError``, the same ones whether they come
    one by one, all at once or with any ``limit``; a stream that ends in a frame
    is a ``TruncatedFrame``; ``max_message`` holds both ways (where it is a
    dataclass and not above 64 KiB, to be quick); an error is final and leaves
    no byte behind; ``str`` is a ``TypeError``.

    The error says what went in and what came out, in the smallest example that
    Hypothesis found. A decoder that loops for ever inside ``feed`` cannot be
    told from a slow one: give the test a time-out.
    """
    usual = st.binary(max_size=min(framing.max_message, _USUAL))
    sendable = (usual if messages is None else messages).filter(lambda m: _can_send(framing, m))
    lists = st.lists(sendable, max_size=8)
    run = settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )

    def check(prop: Callable[[Framing, list[bytes], DataObject], None]) -> None:
        @run
        @given(lists, st.data())
        def example(sent: list[bytes], data: DataObject) -> None:
            with _telling(framing, sent):
                prop(framing, sent, data)

        example()

    _check_limits(framing)
    _check_every_byte(framing)
    check(_encodings_agree)
    check(_any_pieces)
    check(_cut_short)
    check(_any_bytes)


@dataclass
class _Outcome:
    """What a stream came to."""

    messages: list[bytes]
    error: type[RemoteProtocolError] | None


def _can_send(framing: Framing, message: bytes) -> bool:
    try:
        framing.encode(message)
    except LocalProtocolError:
        return False
    return True


@contextmanager
def _telling(framing: Framing, sent: list[bytes]) -> Iterator[None]:
    """Turn whatever goes wrong into an AssertionError that tells with what."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{framing!r}, messages {sent!r}: {error}") from error
    except Exception as error:
        good = "these good bytes are not an error"
        wrong = "only RemoteProtocolError may come of what the peer sends"
        why = good if isinstance(error, RemoteProtocolError) else wrong
        raise AssertionError(
            f"{framing!r}, messages {sent!r}: raised {type(error).__name__}: {error}; {why}"
        ) from error


def _same(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise AssertionError(f"{what}: {got!r} instead of {expected!r}")


def _drain(decoder: Decoder, data: bytes, limit: int | None, messages: list[bytes]) -> None:
    """Feed ``data``, go on while ``limit`` holds messages back; append all to ``messages``.

    Without a limit it is done as a connection does it: ``whole`` is asked first.
    """
    if limit is None and (message := decoder.whole(data)) is not None:
        messages.append(message)
        return
    most = decoder.buffered + len(data)  # a frame has a byte or more
    got = decoder.feed(data, limit)
    messages += got
    while limit is not None and len(got) == limit and decoder.error is None:
        got = decoder.feed(b"", limit)
        messages += got
        most -= len(got)
        if most < 0:
            raise AssertionError(f"feed(b'', {limit}) gives messages without end")
    if limit is not None and len(got) > limit:
        raise AssertionError(f"feed() with limit={limit} returned {len(got)} messages")


def _outcome(framing: Framing, chunks: list[bytes], limit: int | None = None) -> _Outcome:
    """Decode a whole stream; check on the way what must hold at any time."""
    decoder = framing.decoder()
    messages: list[bytes] = []
    try:
        for chunk in chunks:
            _drain(decoder, chunk, limit, messages)
            if decoder.buffered < 0 or decoder.needed < 0:
                raise AssertionError("buffered or needed is negative")
        decoder.eof()
    except RemoteProtocolError as error:
        _check_failed(decoder, error)
        outcome = _Outcome(messages, type(error))
    else:
        outcome = _Outcome(messages, None)
    for message in messages:
        if type(message) is not bytes:
            raise AssertionError(f"a message came out as {type(message).__name__}, not bytes")
        if len(message) > framing.max_message:
            raise AssertionError(
                f"a message of {len(message)} bytes came out: max_message is {framing.max_message}"
            )
    return outcome


def _check_failed(decoder: Decoder, error: RemoteProtocolError) -> None:
    """Check that an error is final and that nothing is kept."""
    if decoder.error is not error:
        raise AssertionError(f"feed() or eof() raised {error!r}, but error is {decoder.error!r}")
    _same("buffered after an error", decoder.buffered, 0)
    again: list[Callable[[], object]] = [lambda: decoder.feed(b""), decoder.eof]
    for call in again:
        try:
            call()
        except RemoteProtocolError as second:
            if second is not error:
                raise AssertionError(f"after {error!r} came another error, {second!r}") from None
        else:
            raise AssertionError(f"after {error!r} the decoder went on")


def _pieces(data: DataObject, stream: bytes) -> list[bytes]:
    """Draw a way to cut ``stream`` into pieces; some of them may be empty."""
    points = data.draw(st.lists(st.integers(0, len(stream)), max_size=10), label="cut at")
    cuts = [0, *sorted(points), len(stream)]
    return [stream[a:b] for a, b in pairwise(cuts)]


def _one_by_one(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


def _check_limits(framing: Framing) -> None:
    """``max_message`` for what is sent, and the types of what comes in."""
    with _telling(framing, []):
        text: Any = "text"
        for call in (framing.encode, framing.decoder().feed):
            try:
                call(text)
            except TypeError:
                continue
            raise AssertionError(f"{call.__name__}() takes str: it should raise TypeError")
        _same("encode_many of nothing", framing.encode_many([]), b"")
        _same("buffers of nothing", b"".join(framing.buffers([])), b"")
        if framing.max_message < _LONGEST_TRIED:
            long = bytes(framing.max_message + 1)
            sends: dict[str, Callable[[], object]] = {
                "encode": lambda: framing.encode(long),
                "encode_many": lambda: framing.encode_many([long]),
                "buffers": lambda: framing.buffers([long]),
            }
            for name, send in sends.items():
                try:
                    send()
                except OutgoingFrameTooLong:
                    continue
                raise AssertionError(
                    f"{name}() took a message of {len(long)} bytes:"
                    f" max_message is {framing.max_message}"
                )
            _check_received_limit(framing)


def _check_received_limit(framing: Framing) -> None:
    """Send what a more generous framing of the same kind sends, if there is one."""
    try:
        generous: Any = replace(cast("Any", framing), max_message=framing.max_message + 1)
        stream = generous.encode(bytes(framing.max_message + 1))
    except (TypeError, ConfigurationError, LocalProtocolError):
        return
    for chunks in ([stream], _one_by_one(stream)):
        if _outcome(framing, chunks).error is not IncomingFrameTooLong:
            raise AssertionError(
                f"a frame of max_message + 1 = {framing.max_message + 1} bytes came in"
                " and IncomingFrameTooLong was not raised"
            )


def _check_every_byte(framing: Framing) -> None:
    """Begin a stream with each byte there is: arbitrary examples may miss a bad one."""
    for value in range(256):
        for size in (1, 30):
            junk = bytes([value]) * size
            with _telling(framing, []):
                expected = _outcome(framing, [junk])
                _same(
                    f"{junk!r} one byte at a time", _outcome(framing, _one_by_one(junk)), expected
                )


def _encodings_agree(framing: Framing, sent: list[bytes], _data: DataObject) -> None:
    stream = b"".join(map(framing.encode, sent))
    _same("encode_many()", framing.encode_many(iter(sent)), stream)
    _same("buffers()", b"".join(framing.buffers(sent)), stream)
    for kind in (bytearray, memoryview):
        others = [kind(message) for message in sent]
        what = f"of {kind.__name__}"
        _same(f"encode() {what}", b"".join(map(framing.encode, others)), stream)
        _same(f"buffers() {what}", b"".join(framing.buffers(others)), stream)
        _same(f"feed() {what}", framing.decoder().feed(kind(stream)), sent)


def _any_pieces(framing: Framing, sent: list[bytes], data: DataObject) -> None:
    stream = framing.encode_many(sent)
    expected = _Outcome(sent, None)
    _same("all at once", _outcome(framing, [stream]), expected)
    _same("one byte at a time", _outcome(framing, _one_by_one(stream)), expected)
    _same("frame by frame", _outcome(framing, list(map(framing.encode, sent))), expected)
    chunks = _pieces(data, stream)
    _same(f"in pieces {chunks!r}", _outcome(framing, chunks), expected)
    limit = data.draw(st.integers(1, 9), label="limit")
    _same(f"limit={limit}, pieces {chunks!r}", _outcome(framing, chunks, limit), expected)
    # Fed on while messages are held back, as by a reader that falls behind.
    decoder = framing.decoder()
    slowly = [message for chunk in chunks for message in decoder.feed(chunk, limit)]
    _drain(decoder, b"", limit, slowly)
    _same(f"falling behind with limit={limit}, pieces {chunks!r}", slowly, sent)
    _same("buffered between frames", decoder.buffered, 0)
    _same("needed between frames", decoder.needed, 0)
    held = framing.decoder()
    _same("feed(..., limit=0)", held.feed(stream, 0), [])
    _same("buffered after feed(..., limit=0)", held.buffered, len(stream))
    _same("feed(b'') after it", held.feed(b""), sent)


def _cut_short(framing: Framing, sent: list[bytes], data: DataObject) -> None:
    frames = [framing.encode(message) for message in sent]
    ends = [sum(map(len, frames[:i])) for i in range(len(frames) + 1)]
    stop = data.draw(st.integers(0, ends[-1]), label="stream ends at")
    whole = sum(end <= stop for end in ends[1:])
    chunks = _pieces(data, b"".join(frames)[:stop])
    expected = _Outcome(sent[:whole], None if stop in ends else TruncatedFrame)
    _same(f"cut short, pieces {chunks!r}", _outcome(framing, chunks), expected)
    decoder = framing.decoder()
    for chunk in chunks:
        decoder.feed(chunk)
    _same("buffered in a frame", decoder.buffered, stop - ends[whole])


def _any_bytes(framing: Framing, sent: list[bytes], data: DataObject) -> None:
    stream = bytearray(framing.encode_many(sent))
    # Damage to a good stream reaches deeper than arbitrary bytes alone.
    for at, size, junk in data.draw(
        st.lists(
            st.tuples(st.integers(0, len(stream)), st.integers(0, 3), st.binary(max_size=12)),
            min_size=1,
            max_size=3,
        ),
        label="damage: (at, bytes taken out, bytes put in)",
    ):
        stream[at : at + size] = junk
    junk = bytes(stream)
    expected = _outcome(framing, [junk])
    _same(f"{junk!r} one byte at a time", _outcome(framing, _one_by_one(junk)), expected)
    chunks = _pieces(data, junk)
    _same(f"in pieces {chunks!r}", _outcome(framing, chunks), expected)
    limit = data.draw(st.integers(1, 4), label="limit")
    _same(f"limit={limit}, pieces {chunks!r}", _outcome(framing, chunks, limit), expected)
