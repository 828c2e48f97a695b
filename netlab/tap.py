"""``twistd netlab``: options become services.

Each service is a subcommand with its options here; the plugin in
``twisted/plugins/netlab_plugin.py`` only names this module, so that listing
twistd's commands does not import a server.
"""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import IService
from twisted.internet.interfaces import IAddress
from twisted.python import usage

import netlab.message as message
from netlab.errors import ConfigurationError, ListenFailed, NetlabError
from netlab.framing import parse_framing
from netlab.startup import Listening, print_table
from netlab.transport import (
    DEFAULT_GRACE,
    LEVELS,
    Limits,
    Log,
    default_max_connections,
    loopback,
    set_level,
)
from netlab.transport.allocator import keep_big_buffers
from netlab.transport.descriptors import allow_descriptors
from netlab.transport.service import DrainingService, ServerService


class StartUpFailed(NetlabError, SystemExit):
    """Ends the program with one line on standard error and status 1.

    An ``Exception`` for twistd, which removes its pidfile and tells a waiting
    parent process; a ``SystemExit`` for the interpreter, which prints no traceback.
    """


Parameter = list[Any]


def grace() -> Parameter:
    """The option of how long to wait at the end; ``None`` when it was not given."""

    def read(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(text)
        return value

    text = f"seconds to finish in when told to stop [default: {DEFAULT_GRACE:g}]"
    return _parameter("grace", None, text, read, "a number of seconds")


def _parameter(
    name: str, default: Any, description: str, read: Callable[[str], Any], what: str
) -> Parameter:
    """An option that is read by ``read``; what it cannot read is said with the option's name."""

    def coerce(value: Any) -> Any:
        if not isinstance(value, str):  # the default
            return value
        try:
            return read(value)
        except ValueError:
            raise usage.UsageError(f"--{name}: {value!r} is not {what}") from None

    coerce.coerceDoc = ""  # type: ignore[attr-defined]
    return [name, None, default, description, coerce]


def count(name: str, default: int | None, description: str) -> Parameter:
    """An option that is a whole number from 1 up."""

    def read(text: str) -> int:
        value = int(text)
        if value < 1:
            raise ValueError(text)
        return value

    return _parameter(name, default, description, read, "a whole number from 1 up")


def seconds(name: str, default: float | None, description: str) -> Parameter:
    """An option that is a time limit in seconds, 0 for none."""

    def read(text: str) -> float | None:
        value = float(text)
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(text)
        return value or None

    return _parameter(name, default, description, read, "a number of seconds (0 for no limit)")


_DEFAULT = Limits()


class CommonOptions(usage.Options):
    """What every service is told in the same words."""

    parent: Any = None

    optParameters = [
        ["log-level", None, None, f"what to log: {', '.join(LEVELS)} [default: info]"],
        grace(),
    ]

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Parses; what is wrong is said in one line, not below a page of help."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            print(f"netlab: {error} (see --help)", file=sys.stderr)
            sys.exit(1)

    def opt_version(self) -> None:
        """Shows the version and exits."""
        from importlib.metadata import version

        print(f"netlab {version('netlab')}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Checks what the parser cannot."""
        if self["grace"] is None:  # what was given before the service's name holds for it
            given = self.parent["grace"] if isinstance(self.parent, CommonOptions) else None
            self["grace"] = DEFAULT_GRACE if given is None else given
        if self["log-level"] is not None:
            try:
                set_level(self["log-level"])
            except ConfigurationError as error:
                raise usage.UsageError(f"--log-level: {error}") from error


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
        try:
            self.framing = parse_framing(self["framing"], self["max-message"])
        except ConfigurationError as error:
            raise usage.UsageError(f"--framing: {error}") from error
        try:
            names = [each for each in Limits.__dataclass_fields__ if each.replace("_", "-") in self]
            self.limits = Limits(**{each: self[each.replace("_", "-")] for each in names})
            allow_descriptors(self.limits.max_connections or default_max_connections())
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error
        try:
            self.app = message.load_application(self["app"])
        except ConfigurationError as error:
            raise usage.UsageError(f"--app: {error}") from error


class Options(CommonOptions):
    """Options of ``twistd netlab``."""

    synopsis = "[options] [service] [service options]"
    longdesc = (
        "Serves all of netlab's services on their default ports, on this machine's own "
        "addresses only; or just the service that is named."
    )
    subCommands = [
        ["message", None, MessageOptions, "length-prefixed messages on TCP (tcp:8032)"],
    ]


def message_service(options: MessageOptions) -> ServerService:
    """The service that ``options`` describe."""
    from twisted.internet import reactor

    def make_server() -> message.MessageServer:
        return message.MessageServer(
            options.app, reactor=reactor, framing=options.framing, limits=options.limits
        )

    endpoints = options.listen or loopback(message.DEFAULT_PORT)
    return ServerService("message", make_server, endpoints, grace=options["grace"])


SERVICES: dict[str, tuple[type[CommonOptions], Callable[[Any], ServerService]]] = {
    "message": (MessageOptions, message_service),
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
