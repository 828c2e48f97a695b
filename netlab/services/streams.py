"""What the services on connections have in common: where they listen, limits, a bad network."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.python import usage

from netlab.errors import ConfigurationError
from netlab.impair import parse_stream
from netlab.ledger import open_key_log
from netlab.options import CommonOptions, Parameter, impairment, recorder, whole
from netlab.transport import Detours, Limits, default_max_connections
from netlab.transport.descriptors import allow_descriptors
from netlab.transport.service import ServerService

L = TypeVar("L", bound=Limits)

ON_THE_WAY: list[Parameter] = [
    ["impair", "i", None, "what to do to connections, as in 'delay 50ms stall 1% 2s'"],
    whole("seed", None, "of the impairments' fates: the same again"),
    ["pcap", None, None, "file for a capture of what is said, decrypted (pcapng)"],
    ["key-log", None, None, "file for TLS secrets, to decrypt other captures"],
]
"""Parameters of what happens to connections."""


class StreamOptions(CommonOptions):
    """Options of a service on connections; its parameters have ``ON_THE_WAY`` among them."""

    def __init__(self) -> None:
        super().__init__()
        self.listen: list[str] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen on this Twisted endpoint (tcp:, tcp6:, ssl:, tls:, unix:, systemd:,
        haproxy:); may be given several times. tcp:PORT is every address of the machine."""
        self.listen.append(endpoint)

    opt_l = opt_listen

    def open_records(self) -> None:
        """Opens what is written while connections are served, or says what is wrong.

        To be called last: then nothing is left open by a mistake in another option.
        """
        self.impair = impairment(self, parse_stream)
        self.recorder = recorder(pcap=self["pcap"])
        self.key_log = self.read("key-log", lambda path: path and open_key_log(path))

    def limits_of(self, kind: type[L]) -> L:
        """The limits that the options name. Raises ``UsageError`` for what cannot work."""
        given = {name: name.replace("_", "-") for name in kind.__dataclass_fields__}
        try:
            limits = kind(**{name: self[word] for name, word in given.items() if word in self})
            allow_descriptors(limits.max_connections or default_max_connections())
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from error
        return limits

    def on_the_way(self) -> dict[str, Any]:
        """The arguments of a server that impair and record its connections."""
        detours = None
        if self.impair is not None or self.recorder is not None:
            detours = Detours(self.impair, self.recorder)
        return {"detours": detours, "key_log": self.key_log and self.key_log.write}

    def close_with(self, service: ServerService) -> None:
        """Closes what was opened when ``service`` has stopped."""
        for each in (self.recorder, self.key_log):
            if each is not None:
                service.when_stopped(each.close)
