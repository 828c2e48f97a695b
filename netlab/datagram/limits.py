"""What peers may take of a datagram server, and the defaults, which are for production."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.errors import ConfigurationError

_MOST = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramLimits:
    """The limits of one server. Raises ``ConfigurationError`` for values that cannot work.

    source_rate       datagrams a second from one source: an IPv4 address, or an IPv6
                      network of 64 bits, since those are handed out whole. 0: any number.
    total_rate        datagrams a second from all of them together. 0: any number.
                      A second's worth of either may come at once.
    refuse_low_ports  drop what comes from a port below 1024. Servers live there, clients
                      do not: such a datagram is mostly forged.
    max_pending       answers that may be waited for at a time; more requests are dropped.
    """

    source_rate: int = 1000
    total_rate: int = 100_000
    refuse_low_ports: bool = False
    max_pending: int = 1000

    def __post_init__(self) -> None:
        for name, least in (("source_rate", 0), ("total_rate", 0), ("max_pending", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
                none = ", 0 for no limit" if least == 0 else ""
                raise ConfigurationError(
                    f"{name} must be a whole number from {least} to {_MOST}{none}, not {value!r}"
                )
