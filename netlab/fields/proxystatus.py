"""Proxy-Status: what went wrong between an intermediary and the next hop (RFC 9209)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from netlab.fields.structured import BareItem, Item, Token, printable, serialize_list, text_or_token


class ProxyError(StrEnum):
    """A type of error (2.3); its value is what the field says."""

    DNS_TIMEOUT = "dns_timeout"
    DNS_ERROR = "dns_error"
    DESTINATION_NOT_FOUND = "destination_not_found"
    DESTINATION_UNAVAILABLE = "destination_unavailable"
    DESTINATION_IP_PROHIBITED = "destination_ip_prohibited"
    DESTINATION_IP_UNROUTABLE = "destination_ip_unroutable"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_TERMINATED = "connection_terminated"
    CONNECTION_TIMEOUT = "connection_timeout"
    CONNECTION_READ_TIMEOUT = "connection_read_timeout"
    CONNECTION_WRITE_TIMEOUT = "connection_write_timeout"
    CONNECTION_LIMIT_REACHED = "connection_limit_reached"
    TLS_PROTOCOL_ERROR = "tls_protocol_error"
    TLS_CERTIFICATE_ERROR = "tls_certificate_error"
    TLS_ALERT_RECEIVED = "tls_alert_received"
    HTTP_REQUEST_ERROR = "http_request_error"
    HTTP_REQUEST_DENIED = "http_request_denied"
    HTTP_RESPONSE_INCOMPLETE = "http_response_incomplete"
    HTTP_RESPONSE_HEADER_SECTION_SIZE = "http_response_header_section_size"
    HTTP_RESPONSE_HEADER_SIZE = "http_response_header_size"
    HTTP_RESPONSE_BODY_SIZE = "http_response_body_size"
    HTTP_RESPONSE_TRAILER_SECTION_SIZE = "http_response_trailer_section_size"
    HTTP_RESPONSE_TRAILER_SIZE = "http_response_trailer_size"
    HTTP_RESPONSE_TRANSFER_CODING = "http_response_transfer_coding"
    HTTP_RESPONSE_CONTENT_CODING = "http_response_content_coding"
    HTTP_RESPONSE_TIMEOUT = "http_response_timeout"
    HTTP_UPGRADE_FAILED = "http_upgrade_failed"
    HTTP_PROTOCOL_ERROR = "http_protocol_error"
    PROXY_INTERNAL_RESPONSE = "proxy_internal_response"
    PROXY_INTERNAL_ERROR = "proxy_internal_error"
    PROXY_CONFIGURATION_ERROR = "proxy_configuration_error"
    PROXY_LOOP_DETECTED = "proxy_loop_detected"

    @property
    def status(self) -> int:
        """The status code that is recommended for a response with this error.

        Where the RFC leaves the choice to the sender: 400 for
        ``http_request_error``, 500 for ``proxy_internal_response``.
        """
        return _STATUS.get(self, 502)


_STATUS = {
    ProxyError.DNS_TIMEOUT: 504,
    ProxyError.DESTINATION_NOT_FOUND: 500,
    ProxyError.DESTINATION_UNAVAILABLE: 503,
    ProxyError.CONNECTION_TIMEOUT: 504,
    ProxyError.CONNECTION_READ_TIMEOUT: 504,
    ProxyError.CONNECTION_WRITE_TIMEOUT: 504,
    ProxyError.CONNECTION_LIMIT_REACHED: 503,
    ProxyError.HTTP_REQUEST_ERROR: 400,
    ProxyError.HTTP_REQUEST_DENIED: 403,
    ProxyError.HTTP_RESPONSE_TIMEOUT: 504,
    ProxyError.PROXY_INTERNAL_RESPONSE: 500,
    ProxyError.PROXY_INTERNAL_ERROR: 500,
    ProxyError.PROXY_CONFIGURATION_ERROR: 500,
}


class ProxyStatus(Struct, frozen=True, kw_only=True):
    """One member of ``Proxy-Status``; as a ``str`` it is as on the wire.

    >>> str(ProxyStatus(proxy="netlab", error=ProxyError.CONNECTION_REFUSED))
    'netlab;error=connection_refused'

    Append it as a line of its own: the members of others stay (2).
    """

    proxy: str
    """The name of this deployment: a host, an address, a service's name."""
    error: ProxyError | None = None
    next_hop: str | None = None
    next_protocol: str | None = None
    """An ALPN protocol identifier, as ``http/1.1``."""
    received_status: int | None = None
    details: str | None = None
    """More words for a person; what is not printable ASCII is escaped."""
    extra: dict[str, int | str] = {}
    """Parameters that the type of error defines (2.3), as ``{"rcode": "NXDOMAIN"}``."""

    def __str__(self) -> str:
        found: dict[str, BareItem | None] = {
            "error": None if self.error is None else Token(self.error.value),
            "next-hop": None if self.next_hop is None else text_or_token(self.next_hop),
            "next-protocol": None if self.next_protocol is None else _alpn(self.next_protocol),
            "received-status": self.received_status,
            "details": None if self.details is None else printable(self.details),
        }
        for name, value in self.extra.items():
            found[name] = printable(value) if isinstance(value, str) else value
        said = {name: value for name, value in found.items() if value is not None}
        return serialize_list([Item(text_or_token(self.proxy), said)])


def _alpn(name: str) -> BareItem:
    """A token where it can be one, else a byte sequence (2.1.3)."""
    word = text_or_token(name)
    return word if isinstance(word, Token) else name.encode("utf-8")
