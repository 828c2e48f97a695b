"""Why a fetch failed, as a person and as Proxy-Status says it (RFC 9209)."""

from __future__ import annotations

import errno
import os

from OpenSSL import SSL
from twisted.internet import error as net
from twisted.web.client import ResponseNeverReceived

from netlab.errors import RemoteProtocolError
from netlab.escaping import escape
from netlab.fields import ProxyError

_UNROUTABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EADDRNOTAVAIL)


class FetchError(RemoteProtocolError):
    """The upstream gave no good answer, or none at all.

    proxy_status  the type of error that ``Proxy-Status`` names (RFC 9209, 2.3)
    status        what a gateway answers with: 502, 504, or 503 if there was no room

    As a ``str`` it is a sentence for a person; what it quotes is escaped.
    """

    kind = "fetch_failed"

    def __init__(self, proxy_status: ProxyError, text: str) -> None:
        self.proxy_status = proxy_status
        self.text = text
        super().__init__(proxy_status, text)

    @property
    def status(self) -> int:
        """The status code for it (RFC 9209, 2.3)."""
        return self.proxy_status.status

    def __str__(self) -> str:
        return self.text


def wrong(text: str) -> FetchError:
    """For a response that breaks the rules of HTTP."""
    return FetchError(ProxyError.HTTP_PROTOCOL_ERROR, f"the upstream's answer is wrong: {text}")


def cut_short(reason: BaseException, what: str) -> FetchError:
    """For a connection that ended in the middle of ``what``."""
    if isinstance(reason, FetchError):
        return reason
    how = "ended" if isinstance(reason, net.ConnectionDone) else "broke off"
    return FetchError(
        ProxyError.HTTP_RESPONSE_INCOMPLETE, f"the connection {how} in the middle of {what}"
    )


def unsuccessful(error: Exception, where: str) -> Exception:
    """What ``error``, raised on the way to the head of a response, is in netlab's terms.

    ``where`` is the origin, as a URI. What did not come from the network stays as it is.
    """
    while isinstance(error, ResponseNeverReceived):
        error = error.reasons[0].value
    found = _why(error)
    return error if found is None else FetchError(found[0], f"{escape(where)}: {found[1]}")


def _why(error: Exception) -> tuple[ProxyError, str] | None:
    if isinstance(error, net.DNSLookupError):
        return ProxyError.DNS_ERROR, "the host name is not known"
    if isinstance(error, net.ConnectionRefusedError):
        return ProxyError.CONNECTION_REFUSED, "the connection was refused"
    if isinstance(error, net.TimeoutError):
        return ProxyError.CONNECTION_TIMEOUT, "nothing answers there"
    if isinstance(error, net.ConnectError):
        number = error.osError
        text = (os.strerror(number) if isinstance(number, int) else str(error)).lower()
        if isinstance(error, net.NoRouteError) or number in _UNROUTABLE:
            return ProxyError.DESTINATION_IP_UNROUTABLE, "there is no way to its address"
        return ProxyError.DESTINATION_UNAVAILABLE, f"no connection came about ({text})"
    if isinstance(error, SSL.Error):
        return ProxyError.TLS_PROTOCOL_ERROR, _tls_reason(error)
    if isinstance(error, net.ConnectionDone | net.ConnectionLost | net.ConnectionAborted):
        return ProxyError.CONNECTION_TERMINATED, "the connection ended without an answer"
    return None


def _tls_reason(error: SSL.Error) -> str:
    found = error.args[0] if error.args else ()
    reasons = [each[-1] for each in found if each] if isinstance(found, list) else []
    reason = escape(", ".join(map(str, reasons)) or "no reason is given")
    if "wrong version number" in reason or "record layer failure" in reason:
        return f"the upstream does not speak TLS ({reason})"
    return f"TLS failed: {reason}"
