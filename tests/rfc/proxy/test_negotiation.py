"""What a client takes, and the compressed variants of contents."""

from __future__ import annotations

import gzip

from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import Fields
from netlab.http import Response
from netlab.rfc.proxy.negotiation import (
    Compressed,
    asking_for_whole,
    compress,
    compressible,
    packed,
    renamed,
    takes_gzip,
    takes_html,
)


class Taking(SynchronousTestCase):
    def test_html(self) -> None:
        """Only who names it: curl and urllib take anything, and want the text."""
        for accept, wanted in (
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
            ("TEXT/HTML", True),
            ("application/xhtml+xml", True),
            *((None, False), ("*/*", False), ("text/*", False), ("text/plain", False)),
            *(("text/html;q=0", False), ("text/html;q=0.001", True), ("text/html;q=2", False)),
            *((",,;", False), ('"', False)),
        ):
            fields = Fields([] if accept is None else [("Accept", accept)])
            self.assertEqual(takes_html(fields), wanted, accept)

    def test_gzip(self) -> None:
        for accept, wanted in (
            *((None, False), ("gzip", True), ("GZIP, br", True), ("x-gzip", True), ("*", True)),
            *(("identity", False), ("gzip;q=0", False), ("*;q=0", False), ("*, gzip;q=0", False)),
        ):
            fields = Fields([] if accept is None else [("Accept-Encoding", accept)])
            self.assertEqual(takes_gzip(fields), wanted, accept)

    def test_compressible(self) -> None:
        for kind, more, wanted in (
            *(("text/plain", (), True), ("application/xml", (), True), ("", (), False)),
            ("application/pdf", (), False),
            ("text/plain", (("Content-Encoding", "gzip"),), False),
        ):
            self.assertEqual(compressible(Fields([("Content-Type", kind), *more])), wanted)


class Variants(SynchronousTestCase):
    def test_tags(self) -> None:
        """A compressed variant has a tag of its own, which is known again."""
        for whole, variant in (('"a"', '"a-gzip"'), ('W/"a"', 'W/"a-gzip"'), ("bad", "bad")):
            self.assertEqual(renamed(Fields([("ETag", whole)])).get("etag"), variant)
        asked = asking_for_whole(Fields([("If-None-Match", '"x", "a-gzip"')]))
        self.assertEqual(asked.get("if-none-match"), '"x", "a"')

    def test_packed(self) -> None:
        content = b"hello " * 1000
        whole = Response(200, [("Content-Length", "6000"), ("ETag", '"a"')], content)
        found = packed(whole, compress(content))
        self.assertEqual(gzip.decompress(found.body), content)  # type: ignore[arg-type]
        self.assertEqual(list(found.fields), [("ETag", '"a-gzip"'), ("Content-Encoding", "gzip")])
        self.assertEqual(compress(content), compress(content))

    def test_bound(self) -> None:
        """Those that were asked for last are kept."""
        kept = Compressed(100)
        kept.keep(b"a", bytes(60))
        kept.keep(b"b", bytes(30))
        self.assertIsNotNone(kept.find(b"a"))
        kept.keep(b"c", bytes(40))
        self.assertIsNone(kept.find(b"b"))
        self.assertIsNotNone(kept.find(b"a"))
        kept.keep(b"d", bytes(101))
        self.assertIsNone(kept.find(b"d"))
        kept.keep(b"a", bytes(60))
        self.assertEqual(kept._size, 100)
