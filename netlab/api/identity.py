"""Who the other end says it is: its TLS certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography import x509
from OpenSSL import SSL


@dataclass(frozen=True, slots=True)
class Identity:
    """What the peer's certificate says; its endpoint has verified it, or asked for none.

    name         the subject's common name, or else the first of ``names``
    names        the DNS names and addresses it is for
    certificate  all of it
    """

    name: str
    names: tuple[str, ...]
    certificate: x509.Certificate

    def __str__(self) -> str:
        return self.name


def identity_of(handle: Any) -> Identity | None:
    """The identity of the peer of ``handle``, a socket or an ``OpenSSL.SSL.Connection``.

    ``None`` without TLS, and for a peer that has shown no certificate.
    """
    if not isinstance(handle, SSL.Connection):
        return None
    shown = handle.get_peer_certificate(as_cryptography=True)
    if shown is None:
        return None
    common = shown.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    names: tuple[str, ...] = ()
    try:
        extension = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        pass
    else:
        kinds = (x509.DNSName, x509.IPAddress, x509.RFC822Name, x509.UniformResourceIdentifier)
        names = tuple(str(each.value) for each in extension.value if isinstance(each, kinds))
    name = str(common[0].value) if common else (names[0] if names else "")
    return Identity(name, names, shown)
