"""Proxy-Status (RFC 9209)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import Item, ProxyError, ProxyStatus, Token, parse_list


class Errors(SynchronousTestCase):
    """2.3: every type, with the status that is recommended for it."""

    def test_recommended(self) -> None:
        by_status = {
            500: ("destination_not_found", "proxy_internal_error", "proxy_configuration_error"),
            503: ("destination_unavailable", "connection_limit_reached"),
            504: (
                *("dns_timeout", "connection_timeout", "connection_read_timeout"),
                *("connection_write_timeout", "http_response_timeout"),
            ),
            403: ("http_request_denied",),
            502: (
                *("dns_error", "destination_ip_prohibited", "destination_ip_unroutable"),
                *("connection_refused", "connection_terminated", "tls_protocol_error"),
                *("tls_certificate_error", "tls_alert_received", "http_response_incomplete"),
                *("http_response_header_section_size", "http_response_header_size"),
                *("http_response_body_size", "http_response_trailer_section_size"),
                *("http_response_trailer_size", "http_response_transfer_coding"),
                *("http_response_content_coding", "http_upgrade_failed", "http_protocol_error"),
                "proxy_loop_detected",
            ),
        }
        told = {name for names in by_status.values() for name in names}
        for status, names in by_status.items():
            for name in names:
                self.assertEqual(ProxyError(name).status, status, name)
        left = {each.value for each in ProxyError} - told
        self.assertEqual(left, {"http_request_error", "proxy_internal_response"})
        self.assertEqual(len(ProxyError), 32)


class Members(SynchronousTestCase):
    """2 and 2.1."""

    def test_plain(self) -> None:
        self.assertEqual(str(ProxyStatus(proxy="revproxy1.example.net")), "revproxy1.example.net")
        self.assertEqual(
            str(ProxyStatus(proxy="ExampleCDN", received_status=200)),
            "ExampleCDN;received-status=200",
        )

    def test_all(self) -> None:
        status = ProxyStatus(
            proxy="RFC proxy",
            error=ProxyError.DNS_ERROR,
            next_hop="backend.example.org:8001",
            next_protocol="http/1.1",
            received_status=502,
            details='space before "colon"',
            extra={"rcode": "NXDOMAIN", "info-code": 22},
        )
        self.assertEqual(
            parse_list(str(status)),
            [
                Item(
                    "RFC proxy",
                    {
                        "error": Token("dns_error"),
                        "next-hop": Token("backend.example.org:8001"),
                        "next-protocol": Token("http/1.1"),
                        "received-status": 502,
                        "details": 'space before "colon"',
                        "rcode": "NXDOMAIN",
                        "info-code": 22,
                    },
                )
            ],
        )

    def test_protocols(self) -> None:
        """2.1.3: bytes only where a token cannot be."""
        self.assertEqual(str(ProxyStatus(proxy="p", next_protocol="h2")), "p;next-protocol=h2")
        self.assertEqual(str(ProxyStatus(proxy="p", next_protocol="\n")), "p;next-protocol=:Cg==:")

    @given(st.text(), st.text(), st.text())
    def test_any_text(self, proxy: str, details: str, hop: str) -> None:
        """Details come from wherever the error came: always one well-formed member."""
        text = str(ProxyStatus(proxy=proxy, details=details, next_hop=hop))
        self.assertTrue(text.isascii() and text.isprintable())
        members = parse_list(text) or []
        self.assertEqual([set(each.parameters) for each in members], [{"details", "next-hop"}])
