"""HTML from values: whatever is not markup already is escaped.

>>> from netlab.rfc.markup import tag
>>> tag("p", "1 < 2, ", tag("a", "see", href='/?q="x"'))
Markup('<p>1 &lt; 2, <a href="/?q=&quot;x&quot;">see</a></p>')
"""

from __future__ import annotations

import html
import re
from typing import TypeAlias

_VOID = frozenset({"meta", "link", "input", "br", "hr"})
# Characters that no document in HTML may have (HTML, 13.2.3.5), and lone surrogates.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_PLAIN = re.compile(r"[\w .,:;()\[\]/+=*#\n-]*", re.ASCII)  # most texts have nothing to escape


class Markup(str):
    """A text that is HTML already."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Markup({super().__repr__()})"


Child: TypeAlias = "str | int | None"
"""What stands in an element: markup as it is, other text escaped, ``None`` not at all."""


def escape(value: str | int) -> Markup:
    """``value`` as text in HTML, and in the value of an attribute; markup stays as it is."""
    if isinstance(value, Markup):
        return value
    text = str(value)
    if _PLAIN.fullmatch(text):
        return Markup(text)
    return Markup(html.escape(_FORBIDDEN.sub("\ufffd", text)))


def join(*children: Child, between: str = "") -> Markup:
    """The children one after another, with ``between`` between them."""
    return Markup(escape(between).join(escape(child) for child in children if child is not None))


def tag(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """An element. The attribute ``class`` is written ``class_``, and ``aria-label`` ``aria_label``.

    An attribute that is ``True`` has no value; one that is ``None`` or ``False`` is not there.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")
