# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc import errata as module
from netlab.rfc.errata import REJECTED, Erratum, parse_errata
from netlab.rfc.index import UnreadableListing

REPORT = {
    "errata_id": "682",
    "doc-id": "RFC2324",
    "errata_status_code": "Held for Document Update",
    "errata_type_code": "Technical",
    "section": "2.3.2",
    "orig_text": "   Any attempt\r\n   to brew\r\n",
    "correct_text": "   No attempt",
    "notes": None,
    "submit_date": "2006-01-10T00:00:00",
    "submitter_name": " A. Person ",
    "verifier_id": "1",
}
FIELDS = (*REPORT, "other")
VALUES = st.sampled_from((None, True, 7, -1, 1.5, "", "RFC7", "RFC", "x", [], ["RFC7"], {"a": 1}))
JSON = VALUES | st.lists(VALUES | st.dictionaries(st.sampled_from(FIELDS), VALUES), max_size=4)


class Reports(SynchronousTestCase):
    def test_fields(self) -> None:
        self.assertEqual(
            parse_errata(json.dumps([REPORT]).encode()),
            {
                2324: (
                    Erratum(
                        number=2324,
                        id=682,
                        status="Held for Document Update",
                        kind="Technical",
                        section="2.3.2",
                        original="   Any attempt\n   to brew",
                        corrected="   No attempt",
                        submitted="2006-01-10",
                        submitter="A. Person",
                    ),
                )
            },
        )

    def test_order(self) -> None:
        reports = [
            {"doc-id": doc_id, "errata_id": number}
            for doc_id, number in (("RFC20", "12"), ("RFC0003", 5), ("RFC0020", "9"))
        ]
        found = parse_errata(json.dumps(reports).encode())
        self.assertEqual(
            {number: [each.id for each in errata] for number, errata in found.items()},
            {3: [5], 20: [9, 12]},
        )

    def test_left_out(self) -> None:
        """Reports without a number of their own, or on what is no RFC."""
        reports = [
            *({}, {"doc-id": "RFC1"}, {"errata_id": "1"}, {"doc-id": "BCP14", "errata_id": "1"}),
            *({"doc-id": "RFC0", "errata_id": "1"}, {"doc-id": "RFC1", "errata_id": "one"}),
            *({"doc-id": "RFC1", "errata_id": "\u0661"}, {"doc-id": ["RFC1"], "errata_id": 1}),
        ]
        self.assertEqual(parse_errata(json.dumps(reports).encode()), {})
        self.assertEqual(parse_errata(b"[]"), {})

    def test_sections(self) -> None:
        """Words are behind a 99 in the list, to be sorted behind numbers."""
        for written, meant in (("99Introduction", "Introduction"), ("99", "99"), ("9.9", "9.9")):
            report = {**REPORT, "section": written}
            (erratum,) = parse_errata(json.dumps([report]).encode())[2324]
            self.assertEqual(erratum.section, meant)

    def test_rejected(self) -> None:
        (erratum,) = parse_errata(
            json.dumps([{**REPORT, "errata_status_code": "Rejected"}]).encode()
        )[2324]
        self.assertEqual(erratum.status, REJECTED)


class Refused(SynchronousTestCase):
    def test_no_list(self) -> None:
        for data in (
            *(b"", b"{}", b"null", b"[1]", b"[[]]", b"\xff", b"<html>", b"[{]", b"[" * 100_000),
            *(b'[{"a":' * 100_000, b"[{}", b'["' + b"9" * 10_000 + b'"]'),
        ):
            error = self.assertRaises(UnreadableListing, parse_errata, data)
            self.assertTrue(str(error).startswith("the errata are no list in JSON: "))

    def test_too_many(self) -> None:
        """Small reports, or lists within one, that would fill the memory."""
        for data in (b"[" + b"{}," * 600_000 + b"{}]", b'[{"a":[' + b"[]," * 600_000 + b"[]]}]"):
            error = self.assertRaises(UnreadableListing, parse_errata, data)
            self.assertIn("more than", str(error))

    def test_too_long(self) -> None:
        self.patch(module, "LONGEST", 10)
        error = self.assertRaises(UnreadableListing, parse_errata, b"[" + b" " * 20 + b"]")
        self.assertIn("at most 10", str(error))

    @given(JSON)
    def test_any_json(self, value: object) -> None:
        try:
            found = parse_errata(json.dumps(value).encode())
        except UnreadableListing:
            return
        for number, errata in found.items():
            for erratum in errata:
                self.assertEqual(erratum.number, number)

    @given(st.binary())
    def test_any_bytes(self, data: bytes) -> None:
        try:
            parse_errata(data)
        except UnreadableListing:
            pass
