"""``twistd netlab``: options become services.

Each service is a subcommand, with its options in ``netlab.services``; the plugin in
``twisted/plugins/netlab_plugin.py`` only names this module, so that listing
twistd's commands does not import a server.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import Any

from twisted.application.service import IService
from twisted.internet.interfaces import IAddress

from netlab.errors import ConfigurationError, ListenFailed, NetlabError
from netlab.options import CommonOptions
from netlab.services import ALL, SERVICES
from netlab.services.message import MessageOptions, message_service
from netlab.startup import Listening, print_table
from netlab.transport import Log
from netlab.transport.allocator import keep_big_buffers
from netlab.transport.service import DrainingService, ServerService


class StartUpFailed(NetlabError, SystemExit):
    """Ends the program with one line on standard error and status 1.

    An ``Exception`` for twistd, which removes its pidfile and tells a waiting
    parent process; a ``SystemExit`` for the interpreter, which prints no traceback.
    """


class Options(CommonOptions):
    """Options of ``twistd netlab``."""

    synopsis = "[options] [service] [service options]"
    longdesc = (
        "Serves all of netlab's services on their default ports, on this machine's own "
        "addresses only; or just the service that is named."
    )
    subCommands = [
        ["message", None, SERVICES["message"][0], "length-prefixed messages on TCP (tcp:8032)"],
        ["echo", None, SERVICES["echo"][0], "datagrams on UDP, echoed or impaired (udp:8007)"],
        ["rfc", None, SERVICES["rfc"][0], "RFCs: proxy, library and reader (tcp:8080)"],
        ["cache", None, SERVICES["cache"][0], "a shared HTTP cache before an origin (tcp:8080)"],
    ]


class NetlabService(DrainingService):
    """Everything that one ``twistd netlab`` serves, or a program of one's own.

    ``options`` are those of each service, by its name; ``program`` is who says what goes wrong.
    """

    log = Log()

    def __init__(self, reactor: Any, options: dict[str, CommonOptions], program: str) -> None:
        super().__init__(reactor)
        self.options = options
        self.program = program

    def privilegedStartService(self) -> None:
        """Listens everywhere, or ends the program with status 1."""
        try:
            super().privilegedStartService()
        except (ListenFailed, ConfigurationError) as error:
            raise self._failed(error) from None

    def _failed(self, error: NetlabError) -> StartUpFailed:
        """Stops what has started; what to end the program with."""
        for each in self:
            each.stopService()
        print(f"{self.program}: {error}", file=sys.__stderr__)
        # A daemon has no standard error; twistd passes on the first hundred bytes.
        self.log.critical("{error}", error=str(error))
        failed = StartUpFailed(str(error))
        failed.code = 1
        return failed

    def startService(self) -> None:
        """Starts, and says what listens where once signals are heard too."""
        try:
            super().startService()
        except (ListenFailed, ConfigurationError) as error:
            raise self._failed(error) from None
        # What is there now stays: the collector need not look at it again and again.
        gc.freeze()
        self.reactor.callWhenRunning(self._say)

    def _say(self) -> None:
        if sys.__stdout__ is not None and self.running:
            print_table(sys.__stdout__, [row for each in self for row in self._rows(each)])

    def _rows(self, service: Any) -> list[Listening]:
        addresses: list[IAddress] = service.server.addresses
        framing = self.options[service.name].get("framing", "")
        codec = _codec_of(service.server)
        return [
            Listening(service.name, text, address, framing, codec)
            for text, address in zip(service.endpoints, addresses, strict=True)
        ]


def _codec_of(server: Any) -> str:
    """The codec of the api that is served; empty if none is."""
    serving = sys.modules.get("netlab.api.server")  # whoever serves an api has imported it
    factory = getattr(server, "factory", None)
    if serving is None or not isinstance(factory, serving.ApiFactory):
        return ""
    return str(factory.codec.name)


def makeService(options: Options) -> IService:
    """What twistd runs: the service that was named, or all of them."""
    chosen: dict[str, CommonOptions] = {}
    if options.subCommand is not None:
        chosen[options.subCommand] = options.subOptions
    else:
        for name in ALL:
            defaults = SERVICES[name][0]()
            defaults.parent = options
            defaults.postOptions()
            chosen[name] = defaults
    services = [SERVICES[name][1](each) for name, each in chosen.items()]
    return _program(options.program, chosen, services)


def make_message_service(options: MessageOptions) -> IService:
    """``makeService`` for a plugin of one's own, whose name in ``twistd`` is ``options.program``.

    ::

        class Options(MessageOptions):
            program = "greeter"
            default_app = "greeter.api:Greeter"

        makeService = make_message_service

    All else is as in ``twistd netlab message``.
    """
    name = options.program
    return _program(name, {name: options}, [message_service(options, name)])


def _program(
    name: str, options: dict[str, CommonOptions], services: Iterable[ServerService]
) -> IService:
    """What twistd runs: ``services``, which start and stop together."""
    from twisted.internet import reactor

    keep_big_buffers()
    program = NetlabService(reactor, options, name)
    for each in services:
        each.setServiceParent(program)
    result: IService = IService(program)
    return result
