"""``twistd netlab message``."""

from __future__ import annotations

import netlab.message as message
from netlab.framing import parse_framing
from netlab.options import count, seconds
from netlab.transport import Limits, loopback
from netlab.transport.service import ServerService

from .streams import ON_THE_WAY, StreamOptions

_DEFAULT = Limits()


class MessageOptions(StreamOptions):
    """Options of ``twistd netlab message``.

    A program of one's own has a subclass with its ``program`` and its ``default_app``;
    see ``netlab.tap.make_message_service``.
    """

    default_app = "echo"
    """What is served without ``--app``: ``MODULE:CLASS``, or echo."""

    synopsis = "[--listen ENDPOINT]... [options]"
    longdesc = (
        "Serves messages on TCP: what answers them is the application, --app. "
        "Without --listen it takes port 8032 on this machine's own addresses only."
    )
    optParameters = [
        ["framing", "f", "length-prefix", "how messages are cut from the stream"],
        ["app", "a", None, "what answers them: MODULE:CLASS, or echo"],
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
        *ON_THE_WAY,
    ]

    def __init__(self) -> None:
        super().__init__()
        self["app"] = self.defaults["app"] = self.default_app

    def postOptions(self) -> None:
        """Builds the framing, the limits and the application, or says what is wrong."""
        super().postOptions()
        self.framing = self.read("framing", lambda name: parse_framing(name, self["max-message"]))
        self.limits = self.limits_of(Limits)
        self.app = self.read("app", message.load_application)
        self.open_records()


def message_service(options: MessageOptions, name: str = "message") -> ServerService:
    """The service that ``options`` describe; ``name`` is what it is called in the log."""
    from twisted.internet import reactor

    on_the_way = options.on_the_way()

    def make_server() -> message.MessageServer:
        return message.MessageServer(
            options.app,
            reactor=reactor,
            framing=options.framing,
            limits=options.limits,
            name=name,
            **on_the_way,
        )

    endpoints = options.listen or loopback(message.DEFAULT_PORT)
    service = ServerService(name, make_server, endpoints, grace=options["grace"])
    options.close_with(service)
    return service
