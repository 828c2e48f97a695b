"""What an origin is told of a request, beside its fields: whose it is, and what it was sent to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from twisted.internet.address import UNIXAddress

from netlab.http import Request
from netlab.http.fetching.uris import parse_uri
from netlab.transport.addresses import ip_of

FORWARDED_FOR = "x-forwarded-for"
Tell = Callable[[Request], Iterable[tuple[str, str]]]


def tell_nothing(_request: Request) -> Iterable[tuple[str, str]]:
    """For an origin that is not ours."""
    return ()


class Telling:
    """The fields for a request in which an origin finds what it would see without a gateway.

    These are the ones that frameworks read; ``Forwarded`` (RFC 7239) says no more.

    ``X-Forwarded-For`` has the client's address. Where it came with the request it is kept
    in front, if the client is local: then that is a proxy, and names the client before it.

    public  the URI under which clients know the origin, without a path; ``None``: not told.
            It is fixed, as answers are stored for all who ask: a redirection from http to
            https must not be given to those who came with https.
    """

    def __init__(self, public: str | None = None) -> None:
        self._fixed: list[tuple[str, str]] = []
        if public is not None:
            where = parse_uri(public)
            self._fixed = [
                ("X-Forwarded-Host", where.host_field),
                ("X-Forwarded-Proto", where.scheme),
            ]

    def __call__(self, request: Request) -> list[tuple[str, str]]:
        """The fields to add to what is asked for ``request``."""
        before = request.fields.get(FORWARDED_FOR) if is_local(request) else None
        address = _address(request)
        chain = [each for each in (before, address and str(address)) if each]
        return [*([("X-Forwarded-For", ", ".join(chain))] if chain else []), *self._fixed]


def is_local(request: Request) -> bool:
    """Whether the client is on this machine: by a loopback address, or a UNIX socket."""
    address = _address(request)
    return isinstance(request.peer, UNIXAddress) or (address is not None and address.is_loopback)


def _address(request: Request) -> IPv4Address | IPv6Address | None:
    """The client's; of IPv4 also where a socket for both has it in the form of IPv6."""
    if request.peer is None or isinstance(request.peer, UNIXAddress):
        return None
    found = ip_address(ip_of(request.peer)[0].partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found
