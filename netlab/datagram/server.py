"""Datagram servers: an application, its ports, and ``serve``, which brings them together."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from netlab.errors import ConfigurationError, LocalProtocolError, NetlabError
from netlab.impair import Impairment
from netlab.transport import DEFAULT_GRACE, Hub, Log, Opening, hub_for
from netlab.transport.answers import begin, discard, message_of
from netlab.transport.datagrams import LONGEST, Datagram

from .app import DatagramApp, Peer
from .fates import Fates
from .guard import Guard, Request
from .limits import DatagramLimits
from .listening import DEFAULT_PORT, loopback, parse_endpoint
from .port import DatagramPort
from .stats import DatagramStats

if TYPE_CHECKING:
    from netlab.ledger import Recorder
    from netlab.transport.alarm import Alarm

Application = type[DatagramApp] | DatagramApp


def app_for(app: Application) -> DatagramApp:
    """The object that ``app``, a class or an object, means.

    Raises ``ConfigurationError`` for anything else.
    """
    if isinstance(app, DatagramApp):
        return app
    if isinstance(app, type) and issubclass(app, DatagramApp):
        return app()
    raise ConfigurationError(f"{app!r} cannot be served: give a subclass of DatagramApp")


class DatagramServer:
    """Serves one application on any number of UDP ports.

    impair    what is done to datagrams on purpose; see ``netlab.impair``
    recorder  where the fate of each is written; see ``netlab.ledger``

    ``stats`` counts what it does; ``addresses`` are where it listens.
    """

    log = Log()

    def __init__(
        self,
        app: Application,
        *,
        reactor: Any,
        limits: DatagramLimits | None = None,
        impair: Impairment | None = None,
        recorder: Recorder | None = None,
        name: str = "echo",
        hub: Hub | None = None,
    ) -> None:
        self.app = app_for(app)
        self.app.server = self
        self.limits = limits or DatagramLimits()
        self.stats = DatagramStats()
        self.name = name
        self.ports: list[DatagramPort] = []
        self._handler = self.app.datagram_received
        self._hub = hub or hub_for(reactor)
        self._guard = Guard(self.limits)
        self._fates: Fates | None = None
        if impair is not None or recorder is not None:
            self._fates = Fates(self._hub, impair, recorder, self._deliver, self._send, self.stats)
        self._recorder = recorder
        self._pending: set[Deferred[Any]] = set()
        self._complained: dict[str, float] = {}
        self._stopping: list[Deferred[None]] = []
        self._stop_at = float("inf")
        self._grace: Alarm | None = None
        self._delivering = 0  # calls of _deliver
        self._started = False

    @property
    def addresses(self) -> list[IAddress]:
        """Where this server listens now."""
        return [port.address for port in self.ports]

    def listen(self, endpoint: str) -> Deferred[DatagramPort]:
        """Listens on one more ``udp:PORT[:interface=ADDRESS]`` or ``udp6:…``.

        The Deferred has fired already. It fails with ``ConfigurationError`` (a
        string that means nothing) or ``ListenFailed``.
        """
        try:
            host, number = parse_endpoint(endpoint)
            if not self._started:
                self._started = True
                self.app.started()
            port = DatagramPort(self._hub, host, number, self._received, self.stats.errors)
        except NetlabError:
            return fail()
        self.ports.append(port)
        self._guard.own(port.number)
        return succeed(port)

    def send(self, data: bytes, peer: Peer) -> None:
        """See ``DatagramApp.send``."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a datagram is made of bytes, not of {type(data).__name__}")
        data = bytes(data)
        if len(data) > LONGEST:
            raise LocalProtocolError(f"a datagram has at most {LONGEST} bytes, not {len(data)}")
        six = isinstance(peer, tuple) and ":" in str(peer[:1])
        for port in self.ports:
            if (port.socket.sock.family != port.socket.sock.family.AF_INET) == six:
                try:
                    name = port.socket.name(peer)
                except (OSError, ValueError) as error:
                    raise LocalProtocolError(f"{peer!r} cannot be sent to: {error}") from error
                self._replied(port, [(data, name, b"", peer)])
                return
        raise LocalProtocolError(f"{peer!r} cannot be sent to: no port listens on such addresses")

    # -- what comes in

    def _received(self, port: DatagramPort, datagrams: list[Datagram]) -> None:
        stats = self.stats
        stats.datagrams_in += len(datagrams)
        stats.bytes_in += sum([len(each[0]) for each in datagrams])
        dropped = stats.dropped

        def refuse(cause: str, datagram: Datagram) -> None:
            dropped[cause] += 1
            if self._recorder is not None and self._fates is not None:
                self._fates.refused(port, datagram, cause)

        limited = dropped["source_rate"] + dropped["total_rate"]
        requests = self._guard.admit(datagrams, port.socket, self._hub.now, refuse)
        if dropped["source_rate"] + dropped["total_rate"] > limited:
            self._complain(
                "{app}: more comes than source_rate ({source}) or total_rate ({total}) allow a "
                "second: {count} datagrams dropped so far",
                source=self.limits.source_rate,
                total=self.limits.total_rate,
                count=dropped["source_rate"] + dropped["total_rate"],
            )
        if self._fates is not None:
            self._fates.came(port, requests)
        elif requests:
            self._deliver(port, requests)

    def _deliver(self, port: DatagramPort, requests: list[Request]) -> None:
        """Hands ``requests`` to the application, and sends what it answers at once."""
        began = monotonic()
        handler = self._handler
        replies: list[Request] = []
        self._delivering += 1
        try:
            for request in requests:
                data, name, way, peer = request
                try:
                    reply = handler(data, peer)
                    if reply is data:
                        replies.append(request)
                    elif reply.__class__ is bytes and len(reply) <= len(data):
                        replies.append((reply, name, way, peer))
                    elif reply is not None:
                        self._settle(reply, port, request)
                except BaseException:  # sys.exit() in a handler must not end the server either
                    self._handler_failed(Failure(), port, request)
            self.stats.handler_seconds += monotonic() - began
            if replies:
                self._replied(port, replies)
        finally:
            self._delivering -= 1
        self._check_stopped()

    def _settle(self, result: Any, port: DatagramPort, request: Request) -> None:
        """A reply that is not there yet, or not as it should be."""
        if isinstance(result, (bytes, bytearray, memoryview)):
            self._answer(result, port, request)
            return
        if len(self._pending) >= self.limits.max_pending:
            discard(result)
            self._unanswered("busy", port, request)
            return
        pending = begin(result)
        if not isinstance(pending, Deferred):
            self._answer(pending, port, request)
            return
        self._pending.add(pending)
        self.stats.pending = len(self._pending)

        def answered(result: Any) -> None:
            self._pending.discard(pending)
            self.stats.pending = len(self._pending)
            if not isinstance(result, Failure):
                try:
                    self._answer(result, port, request)
                except Exception:
                    self._handler_failed(Failure(), port, request)
            elif not result.check(CancelledError):
                self._handler_failed(result, port, request)
            self._check_stopped()

        pending.addBoth(answered)

    def _answer(self, value: Any, port: DatagramPort, request: Request) -> None:
        if value is None:
            return
        reply = message_of(value)
        if len(reply) > len(request[0]):
            self._unanswered("reply_too_long", port, request, reply)
            self._complain(
                "{app}: a reply of {reply} bytes to a request of {request} is not sent: it may "
                "not be longer, or a forged request would flood somebody else",
                reply=len(reply),
                request=len(request[0]),
            )
            return
        self._replied(port, [(reply, *request[1:])])

    def _unanswered(
        self, cause: str, port: DatagramPort, request: Request, reply: bytes = b""
    ) -> None:
        self.stats.dropped[cause] += 1
        if self._fates is not None:
            self._fates.unanswered(port, request, reply, cause)

    def _handler_failed(self, failure: Failure, port: DatagramPort, request: Request) -> None:
        if failure.check(KeyboardInterrupt):
            failure.raiseException()
        self._unanswered("handler_failed", port, request)
        self._complain("{app}: the handler raised an error; no reply is sent", failure=failure)

    def _complain(self, format: str, failure: Failure | None = None, **fields: Any) -> None:
        """Logs, each ``format`` once a second at most: it may happen 100,000 times."""
        now = self._hub.time()
        if now - self._complained.get(format, float("-inf")) < 1:
            return
        self._complained[format] = now
        app = type(self.app).__name__
        if failure is not None:
            self.log.failure(format, failure=failure, app=app)
        else:
            self.log.warn(format, app=app, **fields)

    # -- what goes out

    def _replied(self, port: DatagramPort, replies: list[Request]) -> None:
        if self._fates is not None:
            self._fates.goes(port, replies)
        else:
            self._send(port, replies)

    def _send(self, port: DatagramPort, replies: list[Request]) -> None:
        stats = self.stats
        stats.datagrams_out += len(replies)
        stats.bytes_out += sum([len(each[0]) for each in replies])
        for each in port.send(replies):
            stats.datagrams_out -= 1
            stats.bytes_out -= len(each[0])

    # -- the end

    def stop(self, grace: float = DEFAULT_GRACE) -> Deferred[None]:
        """Takes no more, sends what is pending or under way, and closes the ports.

        The Deferred fires when that is done, after ``grace`` seconds at most.
        Calling it again waits for the same end with the shorter grace.
        """
        done: Deferred[None] = Deferred()
        self._stopping.append(done)
        for port in self.ports:
            port.pause()
        stop_at = self._hub.time() + grace
        if stop_at < self._stop_at and self.ports:
            self._stop_at = stop_at
            if self._grace is not None:
                self._grace.cancel()
            self._grace = self._hub.call_at(stop_at, self._abort)
        if grace <= 0:
            self._abort()
        self._check_stopped()
        return done

    def _abort(self) -> None:
        if self._fates is not None:
            self._fates.clear()
        for each in list(self._pending):
            each.cancel()
        self._pending.clear()
        self._check_stopped()

    def _check_stopped(self) -> None:
        if not self._stopping or self._pending or self._delivering:
            return
        if self._fates is not None and self._fates.under_way:
            self._fates.on_empty = self._check_stopped
            return
        for port in self.ports:
            port.close()
        self.ports.clear()
        self._stop_at = float("inf")
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        result = None
        if self._started:
            self._started = False
            try:
                self.app.stopped()
            except Exception:  # its server has stopped all the same
                result = Failure()
        waiting, self._stopping = self._stopping, []
        for each in waiting:
            each.callback(result)


def serve(
    app: Application,
    *endpoints: str,
    limits: DatagramLimits | None = None,
    impair: Impairment | None = None,
    recorder: Recorder | None = None,
    reactor: Any = None,
) -> Opening[DatagramServer]:
    """Serves ``app``: ``server = await serve(Shout, "udp:8007")``.

    endpoints  ``udp:PORT[:interface=ADDRESS]`` or ``udp6:…``; none means port 8007 on this
               machine's own addresses
    limits     the defaults of ``DatagramLimits`` unless given
    impair     what is done to the datagrams on purpose: ``netlab.impair.parse("loss 30%")``
    recorder   where the fate of each is written; see ``netlab.ledger``
    reactor    the global reactor unless given

    The result can be awaited for the running ``DatagramServer``, or be entered with
    ``async with``, which stops the server at the end. Raises ``ConfigurationError``
    and ``ListenFailed``; then nothing is left listening.
    """
    if reactor is None:
        from twisted.internet import reactor

    async def open_() -> DatagramServer:
        server = DatagramServer(
            app, reactor=reactor, limits=limits, impair=impair, recorder=recorder
        )
        try:
            for each in endpoints or loopback(DEFAULT_PORT):
                await server.listen(each)
        except Exception:
            await server.stop(0)
            raise
        return server

    return Opening(open_(), lambda server: server.stop())
