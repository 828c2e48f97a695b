"""The recorder: what happens to datagrams and connections, written by a thread of its own.

The thread that serves only appends to a queue. The queue is bounded: when the
disk is slower than the network records are lost and counted, and the server
goes on. The writer thread begins with the first record, not before, because
``twistd`` forks on its way to become a daemon and a thread would not survive that.
"""

from __future__ import annotations

import os
import threading
import time as clock
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from netlab.errors import ConfigurationError
from netlab.ledger.capture import Capture
from netlab.ledger.lines import Ledger
from netlab.ledger.output import Output
from netlab.ledger.packets import SEGMENT as LONGEST_SEGMENT
from netlab.ledger.packets import BytesLike, Endpoint
from netlab.ledger.pcapng import Direction
from netlab.ledger.records import (
    DATAGRAM,
    ENDED,
    LOST,
    OPENED,
    SEGMENT,
    Connection,
    Format,
    Record,
)
from netlab.ledger.writer import RecordFile, harmless

Path: TypeAlias = str | os.PathLike[str]

MAX_FILE = 256 << 20
"""Bytes of a file before a new one begins, unless told otherwise."""
MAX_RECORDS = 65_536
"""The most records that wait to be written."""
MAX_WAITING = 64 << 20
"""The most bytes of payload that wait."""

_MODE = 0o640
_GATHER = 0.1  # seconds from the first record of a batch to its writing
_PAUSE = 0.0002  # seconds left to the serving thread now and then
_BATCH, _BATCH_BYTES = 256, 1 << 20
_CLOSE_WITHIN = 5.0  # seconds


class Recorder:
    """Writes fates to a ledger, packets to a capture, or both; made by ``open_recorder``.

    Its methods are for one thread, the reactor's. None of them waits for a disk, but
    for ``close``, and none raises an error when a disk fails.
    """

    def __init__(self, outputs: list[Output], capturing: bool) -> None:
        self.capturing = capturing
        """Whether there is a capture: connections and payloads are of use to it alone."""
        self._outputs = outputs
        self._waiting: deque[Record] = deque()
        self._room = MAX_RECORDS
        self._bytes_in = 0  # of payload ever put into the queue: the serving thread's
        self._bytes_out = 0  # and ever taken out of it: the writer's
        self._overflowed = 0
        self._lost_datagrams = 0  # since the queue last had room
        self._lost_others = 0
        # The writer has nothing to do, or does not exist: it must be told.
        self._idle = True
        self._told = threading.Event()
        self._closing = False
        self._closed = False
        self._writer: threading.Thread | None = None

    def datagram(
        self,
        direction: Direction,
        peer: Endpoint,
        host: Endpoint,
        data: BytesLike,
        fate: str,
        time: int | None = None,
        **fields: Any,
    ) -> None:
        """Records what became of a datagram.

        - ``direction``: ``"in"`` from ``peer`` to ``host``, ``"out"`` the other way;
          both are (IP address as text, port).
        - ``data``: its payload. Mutable buffers are copied.
        - ``fate``: such as ``"received"`` or ``"dropped: loss"``.
        - ``time``: nanoseconds since 1970; by default now.
        - ``fields``: more for the ledger line, of what JSON can say; not ``size``.
        """
        size = len(data)
        if not self.capturing:
            data = b""
        elif type(data) is not bytes:
            data = bytes(data)
        if time is None:
            time = clock.time_ns()
        held = len(data)
        self._put((DATAGRAM, held, time, direction, peer, host, data, size, fate, fields))

    def stream(self, peer: Endpoint, host: Endpoint) -> Flow:
        """Records that ``peer`` has opened a TCP connection to ``host``; returns what it says.

        It goes into the capture only. Text that is no IP address (a UNIX socket's) is drawn
        as 0.0.0.0: give a port that no other such connection has.
        """
        time = clock.time_ns()
        # Of a clock of 4 microseconds (RFC 9293, section 3.4.1): when the same ports
        # are used again, the number shows that it is another connection.
        connection = Connection(peer, host, time // 4000 & 0xFFFFFFFF)
        if self.capturing:
            self._put((OPENED, 0, time, connection))
        return Flow(self, connection)

    @property
    def lost(self) -> int:
        """How many records at least one file lacks: the queue was full, or writing failed."""
        return self._overflowed + max(each.failed for each in self._outputs)

    def close(self) -> None:
        """Writes what waits, for 5 seconds at most, and closes the files.

        What comes after that is counted as lost.
        """
        if self._closed:
            return
        self._closed = True
        self._room = 0
        self._closing = True
        self._told.set()
        if self._writer is not None:
            self._writer.join(_CLOSE_WITHIN)
            if self._writer.is_alive():  # the disk hangs; the thread ends with the process
                self._overflowed += len(self._waiting)
                return
        self._drain()
        if self._lost_datagrams or self._lost_others:
            self._tell_lost()
            self._drain()
        for output in self._outputs:
            output.close()

    # -- of the serving thread

    def _put(self, record: Record) -> None:
        """Queues ``record``, or counts it as lost."""
        waiting = self._waiting
        size = record[1]
        if len(waiting) >= self._room or self._bytes_in - self._bytes_out + size > MAX_WAITING:
            self._overflowed += 1
            if record[0] == DATAGRAM:
                self._lost_datagrams += 1
            else:
                self._lost_others += 1
            return
        if self._lost_datagrams or self._lost_others:
            self._tell_lost()
        self._bytes_in += size
        waiting.append(record)
        if self._idle:
            self._wake()

    def _tell_lost(self) -> None:
        """Queues how many records are missing here."""
        self._waiting.append((LOST, 0, self._lost_datagrams, self._lost_others))
        self._lost_datagrams = self._lost_others = 0

    def _wake(self) -> None:
        """Tells the writer that there is something to write."""
        if self._writer is not None:
            self._idle = False
            self._told.set()
            return
        self._idle = False
        writer = threading.Thread(target=self._run, name="netlab-ledger", daemon=True)
        try:
            writer.start()
        except RuntimeError:  # no more threads now; the next record tries again
            self._idle = True
        else:
            self._writer = writer

    # -- of the writer

    def _run(self) -> None:
        while not self._closing:
            # In this order: a record that is put now either is seen here or sees the flag.
            self._idle = True
            if not self._waiting:
                self._told.wait()
            self._told.clear()
            self._idle = False
            if not self._closing:
                self._told.wait(_GATHER)  # only close() tells anything now
            self._drain()

    def _drain(self) -> None:
        """Writes all that waits."""
        waiting = self._waiting
        while waiting:
            batch: list[Record] = []
            size = 0
            while waiting and len(batch) < _BATCH and size < _BATCH_BYTES:
                record = waiting.popleft()
                batch.append(record)
                size += record[1]
            for output in self._outputs:
                output.write(batch, self._pause)
            self._bytes_out += size

    def _pause(self) -> None:
        """Lets the serving thread run.

        Whenever that one is in a system call this one may take the interpreter, and
        would keep it for 5 ms (sys.getswitchinterval) if it did not let go itself.
        """
        if not self._closing:
            clock.sleep(_PAUSE)


class Flow:
    """One TCP connection in the capture; made by ``Recorder.stream``."""

    __slots__ = ("_connection", "_in", "_out", "_over", "_recorder")

    def __init__(self, recorder: Recorder, connection: Connection) -> None:
        self._recorder = recorder
        self._connection = connection
        self._in = 0  # bytes so far
        self._out = 0
        self._over = not recorder.capturing

    def data(self, direction: Direction, data: BytesLike, comment: str = "") -> None:
        """Records that ``data`` was read (``"in"``) or written (``"out"``).

        It becomes segments of at most 65,000 bytes; the first has the comment. Without
        any data a comment stands at an empty segment. Nothing follows ``ended``.
        """
        if self._over or not (data or comment):
            return
        if type(data) is not bytes:
            data = bytes(data)
        time = clock.time_ns()
        put, connection = self._recorder._put, self._connection
        at, back = (self._in, self._out) if direction == "in" else (self._out, self._in)
        size = len(data)
        if size <= LONGEST_SEGMENT:
            put((SEGMENT, size, time, connection, direction, data, comment, size > 0, at, back))
        else:
            view = memoryview(data)
            for start in range(0, size, LONGEST_SEGMENT):
                piece = view[start : start + LONGEST_SEGMENT]
                last = start + LONGEST_SEGMENT >= size
                rest = (direction, piece, comment, last, at + start, back)
                put((SEGMENT, len(piece), time, connection, *rest))
                comment = ""
        # Counted here, whether or not it was queued: a gap in the capture then shows as one.
        if direction == "in":
            self._in = at + size
        else:
            self._out = at + size

    def ended(self, comment: str = "", reset: bool = False, direction: Direction = "in") -> None:
        """Records the end, orderly or by ``reset``; ``"in"``: the peer was the first to end."""
        if self._over:
            return
        self._over = True
        at, back = (self._in, self._out) if direction == "in" else (self._out, self._in)
        time, connection = clock.time_ns(), self._connection
        self._recorder._put((ENDED, 0, time, connection, direction, comment, reset, at, back))


def open_recorder(
    ledger: Path | None = None,
    pcap: Path | None = None,
    *,
    max_bytes: int = MAX_FILE,
    on_error: Callable[[str], None] | None = None,
) -> Recorder:
    """A recorder that writes JSON lines to the file ``ledger`` and a pcapng capture to ``pcap``.

    They hold what users sent: they are created with mode 0640 less the umask. Existing
    ones are continued. Both can be followed: ``tail -F LEDGER``, and
    ``tail -c +1 -F PCAP | wireshark -k -i -``; what happens is in them after
    some 0.1 s. At ``max_bytes`` FILE becomes FILE.1 and a new FILE begins, so
    each takes twice that at most. A pipe or terminal will do as well, unbounded.

    ``on_error(text)`` is called once when a disk begins to fail, as a rule from the
    writer's thread. Writing is tried again each second; until it works records are
    lost. A line ``{"lost_records": N}``, or the next packet's comment, says how many.

    Raises ``ConfigurationError`` when a file cannot be opened, is of another kind
    or is being written already, and when there is none.
    """
    if ledger is None and pcap is None:
        raise ConfigurationError("nothing to record to: give a ledger, a pcap file, or both")
    if max_bytes < 1:
        raise ConfigurationError(f"max_bytes must be 1 or more, not {max_bytes}")
    report = harmless(on_error)
    outputs: list[Output] = []
    try:
        if ledger is not None:
            outputs.append(_output(ledger, Ledger(), max_bytes, report))
        if pcap is not None:
            outputs.append(_output(pcap, Capture(_application()), max_bytes, report))
    except ConfigurationError:
        for output in outputs:
            output.close()
        raise
    return Recorder(outputs, pcap is not None)


def _output(path: Path, form: Format, max_bytes: int, on_error: Callable[[str], None]) -> Output:
    def open_file(footer: Callable[[], bytes]) -> RecordFile:
        name = os.fspath(path)
        return RecordFile(
            name, form, mode=_MODE, max_bytes=max_bytes, footer=footer, on_error=on_error
        )

    return Output(form, open_file, on_error, clock.time_ns)


def _application() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"netlab {version('netlab')}"
    except PackageNotFoundError:  # a copy of the source, never installed
        return "netlab"
