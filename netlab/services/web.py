"""What the HTTP services have in common: options, the access log, and the cache behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.python import usage

from netlab.cache.store import Store, open_store
from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.http import DEFAULT_PORT, HttpLimits, HttpServer, Request, Response
from netlab.http.fetching import Fetcher, FetchLimits
from netlab.options import Parameter, count, seconds
from netlab.transport import Log, loopback
from netlab.transport.service import ServerService

from .access import AccessFile
from .streams import ON_THE_WAY, StreamOptions

_DEFAULT = HttpLimits()
_FETCH = FetchLimits()
_MIB = 1 << 20

HTTP: list[Parameter] = [
    ["access-log", None, None, "file for a line about each response ('-': standard output)"],
    ["access-log-format", None, "combined", "of these lines: combined, or json"],
    count("max-connections", None, "connections at a time [default: half the open files]"),
    count("max-per-address", None, "of these, from one address [default: any number]"),
    seconds("idle-timeout", _DEFAULT.idle_timeout, "seconds between two requests, then closed"),
    seconds("frame-timeout", _DEFAULT.frame_timeout, "seconds for a request's head"),
    seconds("body-timeout", _DEFAULT.body_timeout, "seconds for its body, and more for a long one"),
    seconds("write-timeout", _DEFAULT.write_timeout, "seconds a client may read nothing"),
    count("max-body", _DEFAULT.max_body, "longest body of a request in bytes"),
    *ON_THE_WAY,
]
CACHE: list[Parameter] = [
    count("max-cache", 1024, "MiB of the disk that it may take"),
    count("max-memory", 64, "MiB of memory for what is asked for often"),
    ["ca", None, None, "PEM file of authorities to trust instead of the system's"],
    seconds("upstream-timeout", _FETCH.head_timeout, "seconds the upstream may take to answer"),
]


class WebOptions(StreamOptions):
    """Options of a service on HTTP with a cache."""

    def postOptions(self) -> None:
        """Builds the limits, or says what is wrong."""
        super().postOptions()
        self.limits = self.limits_of(HttpLimits)
        head = self["upstream-timeout"]
        try:
            self.fetch_limits = FetchLimits() if head is None else FetchLimits(head_timeout=head)
        except ConfigurationError as error:
            raise usage.UsageError(f"--upstream-timeout: {error}") from error
        self.access_log = self.read("access-log-format", self._access_log)

    def _access_log(self, written: str) -> AccessFile | None:
        path = self["access-log"]
        log = AccessFile(path or "-", written)  # a wrong format is wrong without a file, too
        return log if path else None


class Backend:
    """What answers: a handler, and what it needs; opened once the process is what it will be.

    directory  of the cache; ``None`` is for memory alone
    shared     whether others look for it there as well, who may be using it; then memory
               will do, too, and ``directory`` is ``None`` in the end

    Raises ``ConfigurationError``.
    """

    def __init__(self, options: WebOptions, directory: Path | None, *, shared: bool) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.log = Log("netlab.cache")
        self.fetcher = Fetcher(
            reactor=reactor, limits=options.fetch_limits, authorities=options["ca"]
        )
        self.directory = directory
        self.shared = shared
        self.store = self._open(options, directory, shared)

    def _open(self, options: WebOptions, directory: Path | None, shared: bool) -> Store:
        def opened(where: Path | None) -> Store:
            return open_store(
                where,
                max_bytes=options["max-cache"] * _MIB,
                memory_bytes=options["max-memory"] * _MIB,
                told=self.tell,
            )

        try:
            return opened(directory)
        except ConfigurationError as error:
            if not shared:
                raise
            # Nobody asked for this folder: it is only where one would look.
            self.only_memory(str(error))
            return opened(None)

    def only_memory(self, why: str) -> None:
        """Tells that there is no folder, and ``why``."""
        self.directory = None
        self.tell(f"what is fetched is kept in memory only: {why}")

    def tell(self, text: str) -> None:
        """Writes a warning into the log; may be called from any thread."""
        self.reactor.callFromThread(self.log.warn, "{text}", text=text)

    def close(self) -> Deferred[None]:
        """Lets go of everything; fires when that is done."""
        return self.fetcher.close().addBoth(lambda _: self.store.close())


class WebService(ServerService):
    """Listens as all services do; its handler is made when it starts, and closed when it ends.

    make_handler  returns the handler, and what to call in the end
    """

    def __init__(
        self,
        name: str,
        options: WebOptions,
        make_handler: Callable[[], tuple[Any, Callable[[], Deferred[None]]]],
    ) -> None:
        self._close: Callable[[], Deferred[None]] | None = None
        self._make_handler = make_handler
        self._options = options
        self._on_the_way = options.on_the_way()
        endpoints: Sequence[str] = options.listen or loopback(DEFAULT_PORT)
        super().__init__(name, self._make_server, endpoints, grace=options["grace"])
        options.close_with(self)

    @property
    def ports(self) -> list[int]:
        """Where it listens on TCP."""
        addresses = [] if self.server is None else self.server.addresses
        return [each.port for each in addresses if isinstance(each, IPv4Address | IPv6Address)]

    def _make_server(self) -> HttpServer:
        from twisted.internet import reactor

        return HttpServer(
            self._answer,
            reactor=reactor,
            limits=self._options.limits,
            name=str(self.name),
            access_log=self._options.access_log,
            **self._on_the_way,
        )

    def _answer(self, request: Request) -> Any:
        """Until the handler is there; no request is read before the service has started."""
        return Response(503)

    def startService(self) -> None:
        """Makes the handler, with the privileges that stay. Raises ``ConfigurationError``."""
        from twisted.internet import reactor

        log = self._options.access_log
        if log is not None:
            log.open(reactor)
        handler, self._close = self._make_handler()
        super().startService()
        assert isinstance(self.server, HttpServer)
        self.server.handler = handler.handle

    def stopService(self) -> Deferred[None]:
        """Drains, then closes what the handler needs."""
        stopped = super().stopService()
        close, self._close = self._close, None
        log = self._options.access_log
        if close is not None:
            stopped.addBoth(lambda _: close())
        if log is not None:
            stopped.addBoth(lambda _: log.close())
        return stopped


def folder(text: str | None) -> Path | None:
    """A folder that was named. Raises ``ConfigurationError`` for an empty name."""
    if text is None:
        return None
    if not text or "\0" in text:
        raise ConfigurationError(f"'{escape(text)}' is no folder")
    return Path(text)
