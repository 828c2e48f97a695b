"""Purging what is stored, for those on this machine: the method ``PURGE`` of other caches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from netlab.cache.store import StoreFailed
from netlab.http import Request, RequestError, Response

from .gateway import Gateway
from .telling import is_local

METHOD = "PURGE"


class Purging:
    """Answers ``PURGE`` for ``handler``; all other requests go on to it.

    ``PURGE /path`` removes every variant of what ``/path`` is about, ``PURGE /*``
    everything. The answer says how many responses there were.

    uris  the URIs under which the target of a request is stored. May raise ``RequestError``

    Only a client on this machine may purge: by a loopback address, or a UNIX socket. Behind
    another proxy on this machine every client is one of those: have it refuse the method.
    """

    def __init__(
        self, handler: Any, gateway: Gateway, uris: Callable[[Request], Iterable[str]]
    ) -> None:
        self._handle: Callable[[Request], Any] = handler.handle
        self._gateway = gateway
        self._uris = uris

    def handle(self, request: Request) -> Any:
        """See ``netlab.http.Handler``."""
        if request.method != METHOD:
            return self._handle(request)
        if not is_local(request):
            raise RequestError(403, "only this machine itself may purge")
        try:
            if request.target == "/*":
                count = self._gateway.purge_all()
            else:
                count = sum(map(self._gateway.purge, self._uris(request)))
        except StoreFailed as error:
            raise RequestError(500, str(error)) from error
        what = "one response was" if count == 1 else f"{count} responses were"
        return Response(
            200, [("Content-Type", "text/plain; charset=utf-8")], f"{what} removed\n".encode()
        )
