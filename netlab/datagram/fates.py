"""What becomes of each datagram on purpose, and the record of it.

Between the ports and the application lie two links, one for what comes and one
for what goes, made of what ``--impair`` says. Whatever happens to a datagram,
there or before, is told to the recorder.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

from netlab.impair import Fate, Impairment, Link
from netlab.transport import NEVER, Hub
from netlab.transport.datagrams import Datagram

from .guard import Request
from .port import DatagramPort
from .stats import DatagramStats

if TYPE_CHECKING:
    from netlab.ledger import Recorder
    from netlab.transport.alarm import Alarm

Direction = Literal["in", "out"]
Cargo = tuple[DatagramPort, Request]
Onward = Callable[[DatagramPort, list[Request]], None]

_GRAIN = 0.0005
"""Seconds: what is due within so much of each other leaves together."""
_UNTOUCHED = {"in": "received", "out": "sent"}


class _Way:
    """One direction: a link, if it is impaired, and where things go on behind it."""

    def __init__(self, direction: Direction, link: Link | None, onward: Onward) -> None:
        self.direction: Direction = direction
        self.link = link
        self.onward = onward
        self.alarm: Alarm | None = None


class Fates:
    """Both directions of one server.

    deliver, send  take what has come through, at its time
    on_empty       called when nothing is under way any more
    """

    def __init__(
        self,
        hub: Hub,
        impair: Impairment | None,
        recorder: Recorder | None,
        deliver: Onward,
        send: Onward,
        stats: DatagramStats,
    ) -> None:
        self._hub = hub
        self._recorder = recorder
        self._dropped = stats.dropped
        self._passing = 0  # calls of _pass_on
        self.on_empty: Callable[[], None] | None = None

        def link(direction: Direction) -> Link | None:
            if impair is None:
                return None
            conditions = impair.inward if direction == "in" else impair.outward
            if conditions is None:
                return None
            # Who names a seed wants the same again, from whatever port. Without one, a client
            # that takes a new port for each request shall not meet the same fate each time.
            drawn = secrets.randbits(64) if impair.seed is None else impair.seed
            return Link(
                conditions, seed=drawn, direction=direction, ports_apart=impair.seed is None
            )

        self._in = _Way("in", link("in"), deliver)
        self._out = _Way("out", link("out"), send)

    @property
    def under_way(self) -> bool:
        """Whether any datagram is delayed, or passed on this moment."""
        links = (self._in.link, self._out.link)
        return bool(self._passing or any(link is not None and len(link) for link in links))

    def came(self, port: DatagramPort, requests: list[Request]) -> None:
        """``requests`` were received on ``port``, and may pass."""
        self._go(self._in, port, requests)

    def goes(self, port: DatagramPort, replies: list[Request]) -> None:
        """``replies`` are to be sent by ``port``."""
        self._go(self._out, port, replies)

    def refused(self, port: DatagramPort, datagram: Datagram, cause: str) -> None:
        """``datagram`` was received and goes no further."""
        if self._recorder is not None:
            data, name, way = datagram
            peer = port.socket.peer(name)
            self._record("in", port, (data, name, way, peer), f"refused: {cause}")

    def unanswered(self, port: DatagramPort, request: Request, reply: bytes, cause: str) -> None:
        """``reply`` (empty: there is none) to ``request`` is not sent."""
        self._record("out", port, (reply, *request[1:]), f"dropped: {cause}")

    def clear(self) -> None:
        """Forgets what is under way."""
        for way in (self._in, self._out):
            if way.link is not None:
                way.link.clear()
            if way.alarm is not None:
                way.alarm.cancel()
                way.alarm = None

    def _go(self, way: _Way, port: DatagramPort, requests: list[Request]) -> None:
        link = way.link
        recording = self._recorder is not None
        if link is None:
            if recording:
                for request in requests:
                    self._record(way.direction, port, request, _UNTOUCHED[way.direction])
            if requests:
                way.onward(port, requests)
            return
        # Not Hub.now: an application that answers later may do so outside of a turn.
        now = self._hub.time()
        for request in requests:
            fate = link.offer(now, request[3][:2], request[0], (port, request))
            if fate.dropped is not None:
                self._dropped[f"{way.direction}_{fate.dropped}"] += 1
            if recording:
                self._record_fate(way.direction, port, request, fate)
        if way.alarm is None or way.alarm.when > now + _GRAIN:  # else it will ring soon enough
            self._pass_on(way, now)

    def _pass_on(self, way: _Way, now: float) -> None:
        """Lets go on what is due, and looks again when more will be."""
        link = way.link
        assert link is not None
        due = cast(list[tuple[bytes, Cargo]], link.take(now))
        self._passing += 1
        try:
            port, requests = None, list[Request]()
            for data, (through, request) in due:
                if through is not port:
                    if port is not None:
                        way.onward(port, requests)
                    port, requests = through, []
                # It comes out as it went in, unless it was corrupted.
                requests.append(request if data is request[0] else (data, *request[1:]))
            if port is not None:
                way.onward(port, requests)
        finally:
            self._passing -= 1
            self._look_again(way, link.next_due, now)
        if due and self.on_empty is not None and not self.under_way:
            self.on_empty()

    def _look_again(self, way: _Way, when: float, now: float) -> None:
        if way.alarm is not None:
            if way.alarm.when <= when:
                return
            way.alarm.cancel()
            way.alarm = None
        if when == NEVER:
            return

        def ring() -> None:
            way.alarm = None
            self._pass_on(way, self._hub.now)

        way.alarm = self._hub.call_at(max(when, now + _GRAIN), ring)

    # -- the record

    def _record_fate(
        self, direction: Direction, port: DatagramPort, request: Request, fate: Fate
    ) -> None:
        words = fate.words()
        fields: dict[str, Any] = {"index": fate.index}
        if any(fate.delays):
            fields["delay_ms"] = [round(delay * 1000, 3) for delay in fate.delays]
        text = words.replace("delivered", _UNTOUCHED[direction])
        self._record(direction, port, request, text, **fields)

    def _record(
        self,
        direction: Direction,
        port: DatagramPort,
        request: Request,
        fate: str,
        **fields: Any,
    ) -> None:
        if self._recorder is not None:
            data, _, way, peer = request
            host = (port.socket.host(way), port.number)
            self._recorder.datagram(direction, peer[:2], host, data, fate, **fields)
