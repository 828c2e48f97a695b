"""The flights of a gateway, and who may join which."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from netlab.cache.policy import Entry, Options, Request, Serve, cache_key, decide
from netlab.cache.policy.selecting import selecting
from netlab.cache.policy.storing import about_the_request

from .flight import Flight, Landed

_ALONE = 4096
"""Keys that are remembered because what came for them cannot be shared."""


class Flights:
    """What is under way, by cache key."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._of_key: dict[str, list[Flight]] = {}
        self._alone: OrderedDict[str, None] = OrderedDict()

    def __iter__(self) -> Iterator[Flight]:
        return iter([flight for flights in self._of_key.values() for flight in flights])

    def add(self, flight: Flight) -> None:
        """One more."""
        self._of_key.setdefault(flight.key, []).append(flight)

    def discard(self, flight: Flight) -> None:
        """It is over."""
        flights = self._of_key.get(flight.key, [])
        if flight in flights:
            flights.remove(flight)
            if not flights:
                del self._of_key[flight.key]

    def find(self, asked: Request, variants: Iterable[Entry], now: float) -> Flight | None:
        """One whose answer may well answer ``asked`` too.

        ``variants`` are what is stored: the fields that have selected them, and
        responses that are coming, will select the next response as well. So those
        who get another one do not wait for each other (RFC 9111, 4.1).
        """
        flights = self._of_key.get(cache_key(asked.uri))
        if flights is None:
            return None
        entries = [*variants, *[each.landed.entry for each in flights if each.landed is not None]]
        names = {name for entry in entries if entry is not None for name, _ in entry.selecting}
        wanted = selecting(names, asked.fields)
        for flight in flights:
            if not flight.joinable:
                continue
            if flight.landed is None:
                if selecting(names, flight.asked.fields) == wanted:
                    return flight
            elif flight.landed.entry is not None and isinstance(
                decide(asked, [flight.landed.entry], now, self._options), Serve
            ):
                return flight
        return None

    def outdate(self, key: str) -> None:
        """What is under way under this key is outdated."""
        for flight in self._of_key.get(key, ()):
            flight.outdate()

    def may_share(self, key: str) -> bool:
        """Whether what comes for this key may answer more than one, as far as is known."""
        return key not in self._alone

    def learn(self, flight: Flight, landed: Landed) -> None:
        """What came of a flight says whether it is worth while to wait for the next."""
        refused = landed.outcome.refused
        if landed.ttl is not None:
            self._alone.pop(flight.key, None)
        elif (
            flight.shared
            and not landed.failed
            and (refused is None or not about_the_request(refused))
        ):
            self._alone[flight.key] = None
            self._alone.move_to_end(flight.key)
            if len(self._alone) > _ALONE:
                self._alone.popitem(last=False)
