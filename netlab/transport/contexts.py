"""What a server wants of OpenSSL contexts, which Twisted's endpoints make.

Twisted's own contexts choose an application protocol (ALPN, RFC 7301) with the help of
a Twisted protocol, and there is none here. Without a choice of ours every client that
offers protocols, as browsers and curl do, would be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import unwrap
from typing import Any

from OpenSSL import SSL

KeyLog = Callable[[Any, bytes], None]
"""Is given a connection and a line; see ``OpenSSL.SSL.Context.set_keylog_callback``."""

_DONE = "_netlab_wishes"


@dataclass(frozen=True, slots=True)
class Wishes:
    """protocols  that are spoken here, the best first, as ALPN names them; a client that offers
               none of them, or to a server that names none, is served all the same
    key_log    is told the secrets, so that captures can be decrypted
    """

    protocols: tuple[bytes, ...] = ()
    key_log: KeyLog | None = None

    def prepare(self, context: SSL.Context) -> None:
        """Makes ``context`` do so, from the next handshake on."""
        if vars(context).get(_DONE) is self:
            return
        # pyOpenSSL lets nobody change a context that has been used, lest two threads do it at
        # once. All of Twisted's contexts have been used; here is one thread.
        unwrap(SSL.Context.set_alpn_select_callback)(context, self._select)
        if self.key_log is not None:
            unwrap(SSL.Context.set_keylog_callback)(context, self.key_log)
        vars(context)[_DONE] = self

    def connection(self, context: SSL.Context, sock: Any) -> SSL.Connection:
        """A server's connection on ``sock`` with ``context``."""
        self.prepare(context)
        connection = _Connection(context, sock)
        connection.wishes = self
        connection.set_accept_state()
        return connection

    def _select(self, _connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
        for each in self.protocols:
            if each in offered:
                return each
        return SSL.NO_OVERLAPPING_PROTOCOLS


class _Connection(SSL.Connection):
    """With ``tls:`` the client's choice of a name (SNI) changes the context."""

    wishes: Wishes

    def set_context(self, context: SSL.Context) -> None:
        self.wishes.prepare(context)
        super().set_context(context)
