"""``twistd netlab echo``."""

from __future__ import annotations

from twisted.python import usage

import netlab.datagram as datagram
from netlab.datagram import DatagramLimits
from netlab.errors import ConfigurationError
from netlab.impair import parse
from netlab.options import CommonOptions, count, impairment, recorder, whole
from netlab.transport.service import ServerService

_DATAGRAM = DatagramLimits()


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
