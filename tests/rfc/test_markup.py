# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import doctest
import html

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc import markup as module
from netlab.rfc.markup import Markup, escape, join, tag

TEXTS = st.text() | st.text("<>&\"'\0\ud800a ")


class Elements(SynchronousTestCase):
    def test_example(self) -> None:
        self.assertEqual(doctest.testmod(module).failed, 0)

    def test_children(self) -> None:
        self.assertEqual(tag("p", "a", None, 1, tag("b", "<")), "<p>a1<b>&lt;</b></p>")
        self.assertEqual(tag("br"), "<br>")
        self.assertEqual(join("<", tag("i"), None, between=" & "), "&lt; &amp; <i></i>")

    def test_attributes(self) -> None:
        self.assertEqual(
            tag("input", name="q", value='"', class_="a", aria_label="b", x=None, y=False, z=True),
            '<input name="q" value="&quot;" class="a" aria-label="b" z>',
        )
        self.assertEqual(tag("a", tabindex=0), '<a tabindex="0"></a>')

    def test_markup(self) -> None:
        markup = tag("p")
        self.assertIs(escape(markup), markup)
        self.assertIsInstance(join(), Markup)

    def test_forbidden(self) -> None:
        self.assertEqual(escape("a\0\x1b\x85\ud800\uffff\tb\n"), "a" + "\ufffd" * 5 + "\tb\n")

    @given(TEXTS)
    def test_any_text(self, text: str) -> None:
        """Text stays text, in an element and in an attribute, and can be sent."""
        escaped = escape(text)
        self.assertFalse({"<", ">", '"', "'"} & set(escaped))
        escaped.encode()
        if text.isprintable():
            self.assertEqual(html.unescape(escaped), text)
        self.assertEqual(tag("p", text, title=text), f'<p title="{escaped}">{escaped}</p>')
