"""TLS streams whose secrets are told to a key log, so that captures can be decrypted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import unwrap
from typing import Any

from OpenSSL import SSL

from .tls import TLSStream

KeyLog = Callable[[Any, bytes], None]
"""Is given a connection and a line; see ``OpenSSL.SSL.Context.set_keylog_callback``."""


def logging_keys(key_log: KeyLog) -> type[TLSStream]:
    """A ``TLSStream`` whose secrets are told to ``key_log``."""

    class KeyLoggedStream(TLSStream):
        __slots__ = ()

        def start_tls(self, context: SSL.Context) -> None:
            _log_keys(context, key_log)
            super().start_tls(context)

        def _handshake(self) -> None:
            # With ``tls:`` the client's choice of a name (SNI) changes the context.
            tls: Any = self._tls
            if "set_context" not in vars(tls):
                tls.set_context = partial(_set_context, tls, key_log)
            super()._handshake()

    return KeyLoggedStream


def _set_context(tls: SSL.Connection, key_log: KeyLog, context: SSL.Context) -> None:
    _log_keys(context, key_log)
    SSL.Connection.set_context(tls, context)


def _log_keys(context: SSL.Context, key_log: KeyLog) -> None:
    # pyOpenSSL lets nobody change a context that has been used, lest two threads do it at
    # once. All of Twisted's contexts have been used; here is one thread.
    unwrap(SSL.Context.set_keylog_callback)(context, key_log)
