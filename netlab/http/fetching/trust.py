"""Whom a fetcher trusts: certificates verified, and what is wrong with one in words."""

from __future__ import annotations

import re
import weakref
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from service_identity import VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.fields import ProxyError

from .errors import FetchError

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_REASONS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed, by nobody who is trusted",
    19: "is from an authority that is not trusted",
    20: "is from an authority that is not trusted",
    21: "is from an authority that is not trusted",
    23: "has been revoked",
    24: "is from an issuer that is no authority",
    26: "is not meant for a server",
    27: "is not from a trusted authority",
}
"""X509_V_ERR_... of OpenSSL, in words."""


def trust_roots(path: str | None) -> Any:
    """The authorities in the PEM file ``path``, or the platform's if it is ``None``.

    Raises ``ConfigurationError`` if there are none in it.
    """
    if path is None:
        return platformTrust()
    try:
        found = _PEM.findall(Path(path).read_bytes())
        certificates = [Certificate.loadPEM(each) for each in found]
    except (OSError, ValueError, crypto.Error) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise ConfigurationError(f"CA file '{escape(path)}': {why}") from error
    if not certificates:
        raise ConfigurationError(
            f"CA file '{escape(path)}' has no certificate in it: give a PEM file"
        )
    return trustRootFromCertificates(certificates)


@implementer(IOpenSSLClientConnectionCreator)
class Verifier:
    """Makes TLS connections to ``host`` that end with a ``FetchError`` if it is not that host.

    What Twisted makes verifies the same, but does not say what was wrong.
    """

    def __init__(self, host: str, roots: Any) -> None:
        self._host = host
        self._maker: Any = optionsForClientTLS(host, trustRoot=roots)
        numeric = isIPAddress(host) or isIPv6Address(host)
        self._name = IPAddress_ID(host) if numeric else DNS_ID(host)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """A connection that verifies."""
        connection: SSL.Connection = self._maker.clientConnectionForTLS(tlsProtocol)
        # OpenSSL keeps the callback, the connection OpenSSL's part, and the protocol that.
        protocol = weakref.ref(tlsProtocol)

        def verify(_: object, certificate: Any, error: int, depth: int, ok: int) -> bool:
            wrong = self._wrong(certificate, error, depth, bool(ok))
            if wrong is None:
                return True
            refusing = protocol()
            if refusing is not None:
                refusing.failVerification(Failure(wrong))
            return False

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection

    def _wrong(self, certificate: Any, error: int, depth: int, ok: bool) -> FetchError | None:
        """What is wrong with a certificate of the chain; the server's own is at depth 0."""
        if not ok:
            what = "its certificate" if depth == 0 else "the certificate of its authority"
            return self._refusal(f"{what} {_REASONS.get(error, f'is not valid ({error})')}")
        if depth:
            return None
        try:
            patterns = extract_patterns(certificate.to_cryptography())
            verify_service_identity(patterns, [self._name], [])
        except VerificationError:
            return self._refusal("its certificate is not for that host name")
        except Exception:
            return self._refusal("its certificate cannot be read")
        return None

    def _refusal(self, why: str) -> FetchError:
        return FetchError(ProxyError.TLS_CERTIFICATE_ERROR, f"https://{escape(self._host)}: {why}")
