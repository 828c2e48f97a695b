from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.entries import Entry
from netlab.rfc.index import UnreadableListing
from netlab.rfc.metadata import parse_metadata


class Metadata(SynchronousTestCase):
    def test_a_record(self) -> None:
        record = {
            "doc_id": "RFC0793",
            "title": " Transmission \n Control Protocol ",
            "obsoleted_by": ["RFC9293", "RFC9293"],
            "updated_by": ["RFC6528", "RFC1122", "BCP14", 7, None, "RFC 123456"],
            "errata_url": "https://www.rfc-editor.org/errata/rfc793",
            "page_count": "91",
        }
        self.assertEqual(
            parse_metadata(json.dumps(record).encode(), 793),
            Entry(
                793,
                "Transmission Control Protocol",
                obsoleted_by=(9293,),
                updated_by=(1122, 6528),
                errata_url="https://www.rfc-editor.org/errata/rfc793",
            ),
        )

    def test_what_is_not_there(self) -> None:
        self.assertEqual(parse_metadata(b'{"doc_id": "RFC1"}', 1), Entry(1, ""))
        odd = b'{"doc_id": "RFC1", "title": 7, "obsoleted_by": "RFC2", "updated_by": {}}'
        self.assertEqual(parse_metadata(odd, 1), Entry(1, ""))

    def test_none(self) -> None:
        deep = b'{"doc_id":' + b"[" * 100_000
        for data in (b"", b"<html>", b"[]", b'{"doc_id": "RFC2"}', b"{}", b"\xff", deep):
            self.assertRaises(UnreadableListing, parse_metadata, data, 1)
