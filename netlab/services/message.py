"""``twistd netlab message``."""

from __future__ import annotations

from twisted.python import usage

import netlab.message as message
from netlab.errors import ConfigurationError
from netlab.framing import parse_framing
from netlab.impair import parse_stream
from netlab.ledger import open_key_log
from netlab.options import CommonOptions, count, impairment, recorder, seconds, whole
from netlab.transport import Detours, Limits, default_max_connections, loopback
from netlab.transport.descriptors import allow_descriptors
from netlab.transport.service import ServerService

_DEFAULT = Limits()


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
