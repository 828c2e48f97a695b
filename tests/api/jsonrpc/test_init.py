from __future__ import annotations

import doctest
import json
import re

from twisted.trial.unittest import SynchronousTestCase

from netlab.api import jsonrpc
from netlab.api.jsonrpc import CODECS, JSON, MSGPACK, TITLES, codec_named
from netlab.errors import ConfigurationError


class Document(SynchronousTestCase):
    """What is written for those who write the other end."""

    def test_example_runs(self) -> None:
        self.assertEqual(doctest.testmod(jsonrpc).failed, 0)

    def test_messages_are_json(self) -> None:
        assert jsonrpc.__doc__ is not None
        text = re.sub(r"\n {9,}", "", jsonrpc.__doc__)
        messages = re.findall(r"^    (?:-->|<--) (.*)$", text, re.MULTILINE)
        self.assertGreater(len(messages), 12)
        for each in messages:
            self.assertEqual(json.loads(each)["jsonrpc"], "2.0")

    def test_codes(self) -> None:
        assert jsonrpc.__doc__ is not None
        for code in TITLES:
            self.assertIn(f"{code:d}  {TITLES[code]}", jsonrpc.__doc__)

    def test_codecs(self) -> None:
        self.assertEqual(CODECS, {"json": JSON, "msgpack": MSGPACK})
        self.assertIs(codec_named("json"), JSON)
        with self.assertRaisesRegex(ConfigurationError, "json or msgpack"):
            codec_named("xml")

    def test_names(self) -> None:
        for name in jsonrpc.__all__:
            self.assertTrue(hasattr(jsonrpc, name), name)
