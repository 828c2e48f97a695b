"""One direction of a datagram service: packets go in, and come out late, twice or never."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from math import inf

from netlab.errors import ConfigurationError
from netlab.impair.conditions import Chance, Conditions, Delay, Slot
from netlab.impair.draws import (
    BEFORE_FIRST,
    FIRST_SLOT,
    Block,
    Lane,
    Lanes,
    Memory,
    below,
    blocks,
    chance,
    delays,
    waits,
)
from netlab.impair.fate import LIMIT, LOSS, Fate
from netlab.impair.loss import losses
from netlab.impair.schedule import Schedule

_NO_LANES: Lanes = (0, 0, 0, 0, 0, 0, 0, 0)


_fate: Callable[[type[Fate], tuple[object, ...]], Fate] = tuple.__new__
"""Without the call of a Python function that a named tuple's own constructor is."""


class Link:
    """Decides the fate of packets, and holds those that are under way.

    conditions  what the link does
    seed        two links of one seed do the same to the same packets
    direction   ``"in"`` for requests, ``"out"`` for replies
    max_flows   so many flows are remembered, those that were used last
    ports_apart whether flows from several ports of a host differ, too

    A flow is a client's ``(host, port)``. What its packet number ``i`` meets
    (loss, delay and jitter, duplicate, corrupt, reorder) is a function of the
    seed, the host, the direction and ``i``, and of nothing else: neither of other
    clients' packets, nor (unless ``ports_apart``) of the port, nor of time;
    ``netlab.impair.draws`` says how to compute it. Each word does the same whatever
    others stand beside it. (A flow that was forgotten begins again at packet 0.)

    Time has a part in the rest. With ``rate`` and ``slot`` packets wait for earlier
    ones of their own flow. ``limit`` bounds the memory of the whole link: when
    ``limit`` copies are under way the next packet is dropped, whosever it is, and
    when there is room for one, a duplicate gets no second copy.

    As in netem:

    - A second copy has a delay of its own, and is intact when the first is corrupted.
    - Jitter lets packets overtake each other. With ``rate`` they do not: a packet's
      transmission begins after its delay, and after the packet before it. ``rate``
      counts the datagram's own bytes; 28 more are the headers of IPv4 and UDP.
    - A reordered packet has no delay and waits for neither rate nor slot.
    - A packet that has come when no slot is open waits for the next, which opens one
      ``slot`` time later. All that come until then leave with it, as far as
      ``packets`` and ``bytes`` go; the rest wait for the slot after it.

    Unlike netem:

    - What is lost is lost, and not saved by being duplicated; the second copy is not
      subject to loss, corruption or reordering again.
    - With ``slot`` a flow's packets keep their order, whatever the jitter.
    - Lost packets count in the ``gap`` of ``reorder``, and an empty packet is never corrupted.
    """

    def __init__(
        self,
        conditions: Conditions,
        *,
        seed: int,
        direction: str,
        max_flows: int = 4096,
        ports_apart: bool = False,
    ) -> None:
        if max_flows < 1:
            raise ConfigurationError(f"max_flows must be 1 or more, not {max_flows}")
        self._max_flows = max_flows
        self._ports_apart = ports_apart
        self._limit = conditions.limit
        self._flows: OrderedDict[tuple[str, int], _Flow] = OrderedDict()
        self._crowded = False
        self._schedule = Schedule()
        self._compile(conditions)

        used = set(_lanes_of(conditions))
        self._blocks = partial(blocks, "datagram", seed, direction, used=used)

    def _compile(self, conditions: Conditions) -> None:
        """Prepares what a packet needs."""
        delay, loss, reorder = conditions.delay, conditions.loss, conditions.reorder
        duplicate, corrupt = conditions.duplicate, conditions.corrupt
        self._lost = losses(loss) if loss else None
        self._delay, self._copy_delay = delays(delay or Delay(0.0))
        self._duplicated = chance(duplicate, Lane.DUPLICATE) if duplicate else None
        self._corrupted = chance(corrupt, Lane.CORRUPT) if corrupt else None
        self._jumps = chance(reorder.chance, Lane.REORDER) if reorder else None
        self._gap = reorder.gap if reorder else 1
        self._rate = conditions.rate
        self._slot = _Slots(conditions.slot) if conditions.slot else None
        self._draws = bool(loss or duplicate or corrupt or reorder or (delay and delay.jitter))
        chances = (loss, duplicate, corrupt, reorder and reorder.chance)
        correlated = [delay, *(each for each in chances if isinstance(each, Chance))]
        self._correlated = any(each and each.correlation for each in correlated)
        # Whether a lost packet, too, moves on what later packets depend on.
        self._lost_counts = self._correlated or self._gap > 1
        self._plain = not (duplicate or corrupt or reorder or self._correlated)
        self._plain = self._plain and not (self._rate or self._slot)
        self._queues = self._rate is not None or self._slot is not None

    def offer(self, now: float, flow: tuple[str, int], data: bytes, cargo: object = None) -> Fate:
        """Decides the fate of the flow's next packet, and schedules what survives.

        ``now`` is the moment in seconds, on any clock that never goes back;
        ``cargo`` comes out with the packet.
        """
        known = self._flows.get(flow)
        if known is None:
            known = self._begin(flow)
        elif self._crowded:
            self._flows.move_to_end(flow)
        index = known.index
        known.index = index + 1
        lanes = known.block(index) if self._draws else _NO_LANES
        lost = self._lost is not None and self._lost(lanes, known)
        if lost and not self._lost_counts:
            return _fate(Fate, (index, LOSS, (), None, False))
        if self._plain and self._schedule.count < self._limit:
            delay = self._delay(lanes, known)
            self._schedule.put(now + delay, data, cargo)
            return _fate(Fate, (index, None, (delay,), None, False))

        delay = self._delay(lanes, known)
        copy_delay = flipped = None
        jumps = False
        if self._duplicated is not None and self._duplicated(lanes, known):
            copy_delay = self._copy_delay(lanes, known)
        if self._corrupted is not None and self._corrupted(lanes, known) and data:
            flipped = below(lanes[Lane.BIT], 8 * len(data))
        if self._jumps is not None:
            jumps = self._jumps(lanes, known) and known.since_jump >= self._gap - 1
            known.since_jump = 0 if jumps else known.since_jump + 1
            if jumps:
                delay = 0.0
        if lost:
            return Fate(index, LOSS, (), None, False)

        free = self._limit - self._schedule.count
        if free < 1:
            return Fate(index, LIMIT, (), None, False)
        due = now + delay
        if self._queues and not jumps:
            due = self._queued(known, due, len(data))
            delay = due - now
        self._schedule.put(due, data if flipped is None else _flip(data, flipped), cargo)
        if copy_delay is None or free < 2:
            return Fate(index, None, (delay,), flipped, jumps)
        due = now + copy_delay
        if self._queues:
            due = self._queued(known, due, len(data))
            copy_delay = due - now
        self._schedule.put(due, data, cargo)
        return Fate(index, None, (delay, copy_delay), flipped, jumps)

    @property
    def next_due(self) -> float:
        """When the next copy leaves; infinity when nothing is under way."""
        return self._schedule.next_due

    def take(self, now: float) -> list[tuple[bytes, object]]:
        """What has left the link by ``now``, with its cargo, in the order of leaving."""
        return self._schedule.take(now)

    def clear(self) -> None:
        """Drops what is under way and forgets all flows: the link is as new."""
        self._schedule.clear()
        self._flows.clear()
        self._crowded = False

    def __len__(self) -> int:
        """How many copies are under way."""
        return self._schedule.count

    def _begin(self, flow: tuple[str, int]) -> _Flow:
        """A new flow's memory, in place of the one that was not used for longest."""
        block = self._blocks(f"{flow[0]} {flow[1]}" if self._ports_apart else flow[0])
        known = _Flow(block, block(BEFORE_FIRST) if self._correlated else None)
        if len(self._flows) >= self._max_flows:
            self._flows.popitem(last=False)
        self._flows[flow] = known
        # Who was used last matters only when somebody will be forgotten.
        self._crowded = len(self._flows) > self._max_flows // 2
        return known

    def _queued(self, flow: _Flow, due: float, length: int) -> float:
        """When a packet leaves that could leave at ``due`` if rate and slot had no say."""
        due = max(due, flow.latest)
        if self._rate is not None:
            due += self._rate.seconds(length)
        flow.latest = due
        return due if self._slot is None else self._slot.departure(flow, due, length)


def _lanes_of(conditions: Conditions) -> Iterator[int]:
    """The lanes that these conditions draw from."""
    chances = (conditions.loss, conditions.duplicate, conditions.corrupt, conditions.reorder)
    correlated = (conditions.delay, *(getattr(each, "chance", each) for each in chances))
    if any(getattr(each, "correlation", 0) for each in correlated):
        yield from range(8)  # what went before them is drawn for all
    if conditions.loss or conditions.slot:
        yield from (Lane.LOSS, Lane.LOSS_IN_STATE, Lane.SLOT)
    if conditions.delay:
        yield Lane.DELAY
    if conditions.duplicate:
        yield from (Lane.DUPLICATE, Lane.COPY_DELAY)
    if conditions.corrupt:
        yield from (Lane.CORRUPT, Lane.BIT)
    if conditions.reorder:
        yield Lane.REORDER


class _Flow(Memory):
    """What a link remembers of a flow."""

    __slots__ = (
        *("block", "bytes_left", "index", "latest", "packets_left"),
        *("since_jump", "slot", "slots"),
    )

    def __init__(self, block: Block, before_first: Lanes | None) -> None:
        super().__init__(before_first)
        self.block = block
        self.index = 0  # of the next packet
        self.since_jump = 0  # packets since one was reordered
        self.latest = -inf  # when the last packet was through the rate
        self.slot = -inf  # when the current slot opens, or opened
        self.slots = 0  # opened so far
        self.packets_left = inf
        self.bytes_left = inf


class _Slots:
    """The slots in which a flow's packets leave."""

    def __init__(self, slot: Slot) -> None:
        self._wait = waits(slot.wait)
        self._packets = inf if slot.packets is None else slot.packets
        self._bytes = inf if slot.size is None else slot.size

    def departure(self, flow: _Flow, due: float, length: int) -> float:
        """When a packet leaves that could leave at ``due``, at or after the one before it."""
        if flow.slot < due:
            self._open(flow, due)
        departure = flow.slot
        flow.packets_left -= 1
        flow.bytes_left -= length
        if flow.packets_left <= 0 or flow.bytes_left <= 0:
            self._open(flow, departure)
        return departure

    def _open(self, flow: _Flow, now: float) -> None:
        flow.slot = now + self._wait(flow.block(FIRST_SLOT + flow.slots)[Lane.SLOT])
        flow.slots += 1
        flow.packets_left = self._packets
        flow.bytes_left = self._bytes


def _flip(data: bytes, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[bit >> 3] ^= 1 << (bit & 7)
    return bytes(flipped)
