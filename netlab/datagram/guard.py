"""Who is answered: source ports, and token buckets in constant memory.

The address of a datagram proves nothing. A server that answers everyone can be
pointed at somebody else, at itself, or at another server that answers
everyone; the last two never end. So nothing is answered that comes from a port
where servers answer by themselves, and nobody gets more than a share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netlab.transport.datagrams import (
    DROP_BROADCAST,
    DROP_MULTICAST,
    Datagram,
    DatagramSocket,
    Name,
    Way,
)

from .app import Peer
from .limits import DatagramLimits
from .listening import DEFAULT_PORT

Request = tuple[bytes, Name, Way, Peer]
"""A datagram that is to be answered: its data, its sender twice, and the way back."""

ANSWERING_PORTS = {0: "none", 7: "echo", 19: "chargen", 53: "domain", 123: "ntp"}
"""Source ports that are never answered: a reply would be answered in turn, or cannot be sent."""
KNOWN = 4096
"""Peers, and sources, that are remembered; twice as many while one set replaces another."""
_LOW = 1024
BURST = 1.0
"""Seconds' worth of a rate that may come at once."""
_LAST = 0.999
"""Of a step: what must be free for one more. Less than one, as a sum of steps is not exact."""


class Bucket:
    """One source's tokens, as a time: the moment at which all of them are back again."""

    __slots__ = ("full_at",)

    def __init__(self) -> None:
        self.full_at = 0.0


class Visitor:
    """What is known of one peer: its address, its source's bucket, why it is refused."""

    __slots__ = ("bucket", "peer", "refused")

    def __init__(self, peer: Peer, bucket: Bucket, refused: str | None) -> None:
        self.peer = peer
        self.bucket = bucket
        self.refused = refused


class Recent(dict[Any, Any]):
    """The last ``KNOWN`` entries, about: when it is full, it becomes ``older`` and begins anew.

    What is found in ``older`` moves up again; what nobody asked for is gone with
    the next change. A true least-recently-used order would cost a write for
    every datagram.
    """

    def __init__(self) -> None:
        self.older: dict[Any, Any] = {}

    def find(self, key: Any) -> Any:
        """The entry, or ``None``; look into the dict itself first."""
        found = self.older.get(key)
        if found is not None:
            self.keep(key, found)
        return found

    def keep(self, key: Any, entry: Any) -> None:
        """One more entry."""
        if len(self) >= KNOWN:
            self.older = dict(self)
            self.clear()
        self[key] = entry


class Guard:
    """Lets datagrams pass, or names the cause why not."""

    def __init__(self, limits: DatagramLimits) -> None:
        self._own_ports = {DEFAULT_PORT}
        self._low = limits.refuse_low_ports
        self._source_step = 1 / limits.source_rate if limits.source_rate else 0.0
        self._total_step = 1 / limits.total_rate if limits.total_rate else 0.0
        self._total = 0.0
        self._buckets = Recent()
        self._visitors: dict[int, Recent] = {}  # by family: names are alike within one

    def own(self, port: int) -> None:
        """This server listens on ``port``: what comes from there is itself, or its like."""
        self._own_ports.add(port)
        self._visitors.clear()  # one of them may have come from there

    def admit(
        self,
        datagrams: list[Datagram],
        names: DatagramSocket,
        now: float,
        refuse: Callable[[str, Datagram], None],
    ) -> list[Request]:
        """The ``datagrams`` that may pass, with their peers; ``refuse`` is told of the others.

        Every datagram passes here, so everything is written out in one loop.
        Buckets are kept as a single time (the generic cell rate algorithm, ITU-T
        I.371): each datagram moves it on by one over the rate, to ``BURST`` seconds
        ahead at the most.
        """
        visitors = self._visitors.setdefault(names.sock.family, Recent())
        source_step, total_step = self._source_step, self._total_step
        latest = now + BURST - _LAST * source_step
        latest_total = now + BURST - _LAST * total_step
        total = max(self._total, now)
        admitted: list[Request] = []
        for datagram in datagrams:
            data, name, way = datagram
            visitor = visitors.get(name)
            if visitor is None:
                if total > latest_total:  # not worth finding out who it is
                    refuse("total_rate", datagram)
                    continue
                visitor = self._meet(name, names, visitors)
            if visitor.refused is not None:
                refuse(visitor.refused, datagram)
                continue
            if way is DROP_BROADCAST or way is DROP_MULTICAST:
                refuse(way.decode(), datagram)
                continue
            bucket = visitor.bucket
            full_at = bucket.full_at
            if full_at > latest:
                refuse("source_rate", datagram)
                continue
            if total > latest_total:
                refuse("total_rate", datagram)
                continue
            bucket.full_at = (full_at if full_at > now else now) + source_step
            total += total_step
            admitted.append((data, name, way, visitor.peer))
        self._total = total
        return admitted

    def _meet(self, name: Name, names: DatagramSocket, visitors: Recent) -> Visitor:
        """What is known of a peer that is not among the latest ones."""
        visitor: Visitor | None = visitors.find(name)
        if visitor is None:
            source = names.source(name)
            bucket = self._buckets.get(source) or self._buckets.find(source)
            if bucket is None:
                bucket = Bucket()
                self._buckets.keep(source, bucket)
            visitor = Visitor(names.peer(name), bucket, self._refusal(names.port(name)))
            visitors.keep(name, visitor)
        return visitor

    def _refusal(self, port: int) -> str | None:
        if port in ANSWERING_PORTS or port in self._own_ports:
            return "source_port"
        if self._low and port < _LOW:
            return "low_port"
        return None
