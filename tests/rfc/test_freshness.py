from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import Request, Response, decide, receive
from netlab.cache.policy.deciding import Serve
from netlab.cache.policy.entry import completed
from netlab.fields import Fields
from netlab.rfc.freshness import (
    DOCUMENT_LIFETIME,
    FRESHNESS,
    LISTING_LIFETIME,
    OPTIONS,
    amended,
    is_upstream,
)

NOW = 1_790_000_000.0
BASE = "https://www.rfc-editor.org/rfc/"


class Amended(SynchronousTestCase):
    def lifetime(self, uri: str, status: int = 200) -> float:
        """For how long the cache serves a response without a question."""
        request = Request("GET", uri, Fields())
        fields = Fields([("ETag", '"x"'), ("Set-Cookie", "a=b"), ("Cache-Control", "no-store")])
        response = amended(request, Response(status, fields))
        self.assertNotIn("set-cookie", response.fields)
        outcome = receive(
            request, response, (), request_time=NOW, response_time=NOW, options=OPTIONS
        )
        assert outcome.new is not None, outcome.refused
        verdict = decide(request, [completed(outcome.new, "x", 1)], NOW, OPTIONS)
        assert isinstance(verdict, Serve)
        return verdict.ttl

    def test_lifetimes(self) -> None:
        self.assertEqual(self.lifetime(f"{BASE}rfc1.txt"), DOCUMENT_LIFETIME)
        self.assertEqual(self.lifetime("https://www.rfc-editor.org/errata.json"), LISTING_LIFETIME)
        self.assertEqual(self.lifetime(f"{BASE}rfc-index.xml"), LISTING_LIFETIME)
        self.assertEqual(self.lifetime(f"{BASE}rfc10000.txt", 404), 300)

    def test_errors_have_none(self) -> None:
        response = amended(Request("GET", BASE, Fields()), Response(503, Fields()))
        self.assertNotIn(FRESHNESS, response.fields)


class Upstreams(SynchronousTestCase):
    def test_hosts(self) -> None:
        self.assertTrue(is_upstream(BASE, "https://www.rfc-editor.org/errata.json"))
        self.assertTrue(is_upstream(BASE, "https://www.ietf.org/x"))
        self.assertFalse(is_upstream(BASE, "https://example.org/rfc1.txt"))
        here = "http://127.0.0.1:8000/rfc/"
        self.assertTrue(is_upstream(here, "http://127.0.0.1:8000/x"))
        for uri in ("http://127.0.0.1:8001/x", "https://www.ietf.org/x", "file:///etc/passwd"):
            self.assertFalse(is_upstream(here, uri), uri)
