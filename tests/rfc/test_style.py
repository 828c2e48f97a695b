from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.names import NotAName, parse
from netlab.rfc.style import STYLE, STYLE_PATH


class Sheet(SynchronousTestCase):
    def test_whole(self) -> None:
        """Each brace is closed, and each colour is defined."""
        self.assertEqual(STYLE.count("{"), STYLE.count("}"))
        self.assertEqual(
            set(re.findall(r"var\((--[a-z-]+)\)", STYLE)), set(re.findall(r"(--[a-z-]+):", STYLE))
        )

    def test_dark(self) -> None:
        """What has a colour in the light has one in the dark."""
        light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
        self.assertEqual(set(re.findall(r"--[a-z-]+", light)), set(re.findall(r"--[a-z-]+", dark)))

    def test_nothing_from_elsewhere(self) -> None:
        self.assertNotIn("url(", STYLE)
        self.assertNotIn("@import", STYLE)
        self.assertLess(len(STYLE), 10_000)

    def test_path(self) -> None:
        """The path of the sheet names no document."""
        self.assertRaises(NotAName, parse, STYLE_PATH)
