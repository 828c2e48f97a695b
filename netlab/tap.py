"""``twistd netlab``: options become services.

Each service is a subcommand with its options here; the plugin in
``twisted/plugins/netlab_plugin.py`` only names this module, so that listing
twistd's commands does not import a server.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import IService
from twisted.internet.interfaces import IAddress
from twisted.python import usage

import netlab.datagram as datagram
import netlab.message as message
from netlab.datagram import DatagramLimits
from netlab.errors import ConfigurationError, ListenFailed, NetlabError
from netlab.framing import parse_framing
from netlab.impair import parse, parse_stream
from netlab.ledger import open_key_log
from netlab.options import CommonOptions, count, impairment, recorder, seconds, whole
from netlab.startup import Listening, print_table
from netlab.transport import Detours, Limits, Log, default_max_connections, loopback
from netlab.transport.allocator import keep_big_buffers
from netlab.transport.descriptors import allow_descriptors
from netlab.transport.service import DrainingService, ServerService


class StartUpFailed(NetlabError, SystemExit):
    """Ends the program with one line on standard error and status 1.

    An ``Exception`` for twistd, which removes its pidfile and tells a waiting
    parent process; a ``SystemExit`` for the interpreter, which prints no traceback.
    """


_DEFAULT = Limits()
_DATAGRAM = DatagramLimits()


class MessageOptions(CommonOptions):
    """Options of ``twistd netlab message``."""

    synopsis = "[--listen ENDPOINT]... [options]"
    longdesc = (
        "Serves messages on TCP: each is answered by the application, by default with itself. "
        "Without --listen it takes port 8032 on this machine's own addresses only."
    )
    optParameters = [
        ["framing", "f", "length-prefix", "how messages are cut from the stream"],
        ["app", "a", "echo", "what answers them: MODULE:CLASS, or echo"],
        count("max-message", None, "longest message in bytes [default: 1048576]"),
        count("max-connections", None, "connections at a time [default: half the open files]"),
        count("max-per-address", None, "of these, from one address [default: any number]"),
        seconds("idle-timeout", _DEFAULT.idle_timeout, "seconds of silence, then closed"),
        seconds("frame-timeout", _DEFAULT.frame_timeout, "seconds for a message to arrive whole"),
        seconds("write-timeout", _DEFAULT.write_timeout, "seconds a peer may read nothing"),
        seconds("handshake-timeout", _DEFAULT.handshake_timeout, "seconds for TLS, PROXY header"),
        seconds("close-timeout", _DEFAULT.close_timeout, "seconds from close to abort"),
        count("high-water", _DEFAULT.high_water, "unsent bytes at which reading stops"),
        count("low-water", _DEFAULT.low_water, "and below which it goes on"),
        count("max-buffered", _DEFAULT.max_buffered, "unsent bytes at which a peer is cut"),
        ["impair", "i", None, "what to do to connections, as in 'delay 50ms stall 1% 2s'"],
        whole("seed", None, "of the impairments' fates: the same again"),
        ["pcap", None, None, "file for a capture of what is said, decrypted (pcapng)"],
        ["key-log", None, None, "file for TLS secrets, to decrypt other captures"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.listen: list[str] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen on this Twisted endpoint (tcp:, tcp6:, ssl:, tls:, unix:, systemd:,
        haproxy:); may be given several times. tcp:8032 is every address of the machine."""
        self.listen.append(endpoint)

    opt_l = opt_listen

    def postOptions(self) -> None:
        """Builds the framing, the limits and the application, or says what is wrong."""
        super().postOptions()
        self.framing = self.read("framing", lambda name: parse_framing(name, self["max-message"]))
        try:
            names = [each for each in Limits.__dataclass_fields__ if each.replace("_", "-") in self]
            self.limits = Limits(**{each: self[each.replace("_", "-")] for each in names})
            allow_descriptors(self.limits.max_connections or default_max_connections())
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error
        self.app = self.read("app", message.load_application)
        self.impair = impairment(self, parse_stream)
        self.recorder = recorder(pcap=self["pcap"])
        self.key_log = self.read("key-log", lambda path: path and open_key_log(path))


class EchoOptions(CommonOptions):
    """Options of ``twistd netlab echo``."""

    synopsis = "[options]"
    longdesc = (
        "Serves datagrams on UDP: each is answered by the application, by default with itself "
        "(RFC 862). Without --listen it takes port 8007 on this machine's own addresses only; "
        "udp:8007 is every IPv4 address of the machine, udp6:8007 every IPv6 one."
    )
    optFlags = [
        ["refuse-low-ports", None, "drop what comes from a port below 1024"],
    ]
    optParameters = [
        ["app", "a", "echo", "what answers them: MODULE:CLASS, or echo"],
        ["impair", "i", None, "what to do to them, as in 'loss 10% delay 50ms 10ms'"],
        whole("seed", None, "of the impairments' fates: the same again"),
        whole("source-rate", _DATAGRAM.source_rate, "a second from one source (0: any number)"),
        whole("total-rate", _DATAGRAM.total_rate, "a second from all (0: any number)"),
        count("max-pending", _DATAGRAM.max_pending, "answers waited for at a time"),
        ["ledger", None, None, "file for the fate of each, as JSON lines"],
        ["pcap", None, None, "file for a capture, with their fates (pcapng)"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.listen: list[str] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen on udp:PORT[:interface=ADDRESS] or udp6:...; may be given several times."""
        self.listen.append(endpoint)

    opt_l = opt_listen

    def postOptions(self) -> None:
        """Builds the limits, the impairments and the application, or says what is wrong."""
        super().postOptions()
        try:
            self.limits = DatagramLimits(
                source_rate=self["source-rate"],
                total_rate=self["total-rate"],
                refuse_low_ports=bool(self["refuse-low-ports"]),
                max_pending=self["max-pending"],
            )
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error
        self.impair = impairment(self, parse)
        self.app = self.read("app", datagram.load_application)
        self.recorder = recorder(ledger=self["ledger"], pcap=self["pcap"])


class Options(CommonOptions):
    """Options of ``twistd netlab``."""

    synopsis = "[options] [service] [service options]"
    longdesc = (
        "Serves all of netlab's services on their default ports, on this machine's own "
        "addresses only; or just the service that is named."
    )
    subCommands = [
        ["message", None, MessageOptions, "length-prefixed messages on TCP (tcp:8032)"],
        ["echo", None, EchoOptions, "datagrams on UDP, echoed or impaired (udp:8007)"],
    ]


def message_service(options: MessageOptions) -> ServerService:
    """The service that ``options`` describe."""
    from twisted.internet import reactor

    detours = None
    if options.impair is not None or options.recorder is not None:
        detours = Detours(options.impair, options.recorder)

    def make_server() -> message.MessageServer:
        return message.MessageServer(
            options.app,
            reactor=reactor,
            framing=options.framing,
            limits=options.limits,
            detours=detours,
            key_log=options.key_log and options.key_log.write,
        )

    endpoints = options.listen or loopback(message.DEFAULT_PORT)
    service = ServerService("message", make_server, endpoints, grace=options["grace"])
    for each in (options.recorder, options.key_log):
        if each is not None:
            service.when_stopped(each.close)
    return service


def echo_service(options: EchoOptions) -> ServerService:
    """The service that ``options`` describe."""
    from twisted.internet import reactor

    def make_server() -> datagram.DatagramServer:
        return datagram.DatagramServer(
            options.app,
            reactor=reactor,
            limits=options.limits,
            impair=options.impair,
            recorder=options.recorder,
        )

    endpoints = options.listen or datagram.loopback(datagram.DEFAULT_PORT)
    service = ServerService("echo", make_server, endpoints, grace=options["grace"])
    if options.recorder is not None:
        service.when_stopped(options.recorder.close)
    return service


SERVICES: dict[str, tuple[type[CommonOptions], Callable[[Any], ServerService]]] = {
    "message": (MessageOptions, message_service),
    "echo": (EchoOptions, echo_service),
}


class NetlabService(DrainingService):
    """Everything that one ``twistd netlab`` serves."""

    log = Log()

    def __init__(self, reactor: Any, options: dict[str, CommonOptions]) -> None:
        super().__init__(reactor)
        self.options = options

    def privilegedStartService(self) -> None:
        """Listens everywhere, or ends the program with status 1."""
        try:
            super().privilegedStartService()
        except (ListenFailed, ConfigurationError) as error:
            for each in self:
                each.stopService()
            text = f"netlab: {error}"
            print(text, file=sys.__stderr__)
            # A daemon has no standard error; twistd passes on the first hundred bytes.
            self.log.critical("{error}", error=str(error))
            failed = StartUpFailed(str(error))
            failed.code = 1
            raise failed from None

    def startService(self) -> None:
        """Starts, and says what listens where once signals are heard too."""
        super().startService()
        # What is there now stays: the collector need not look at it again and again.
        gc.freeze()
        self.reactor.callWhenRunning(self._say)

    def _say(self) -> None:
        if sys.__stdout__ is not None and self.running:
            print_table(sys.__stdout__, [row for each in self for row in self._rows(each)])

    def _rows(self, service: Any) -> list[Listening]:
        addresses: list[IAddress] = service.server.addresses
        options = self.options[service.name]
        return [
            Listening(service.name, text, address, options.get("framing", ""))
            for text, address in zip(service.endpoints, addresses, strict=True)
        ]


def makeService(options: Options) -> IService:
    """What twistd runs: the service that was named, or all of them."""
    from twisted.internet import reactor

    keep_big_buffers()
    chosen: dict[str, CommonOptions] = {}
    if options.subCommand is not None:
        chosen[options.subCommand] = options.subOptions
    else:
        for name, (kind, _) in SERVICES.items():
            defaults = kind()
            defaults.parent = options
            defaults.postOptions()
            chosen[name] = defaults
    service = NetlabService(reactor, chosen)
    for name, service_options in chosen.items():
        SERVICES[name][1](service_options).setServiceParent(service)
    result: IService = IService(service)
    return result
