"""Names that people choose, and other people read on a terminal or a page.

A name shall show as what it is: nothing in it moves the cursor, turns the direction
of writing, or cannot be seen; and two names that look alike to Unicode's
compatibility forms (UAX #15) are one.
"""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
"""Letters and marks that show nothing: Default_Ignorable_Code_Point (UAX #44) as far as
it is not of a category that is refused anyway, and the empty Braille pattern."""
_MOST_MARKS = 2
"""On one letter; Vietnamese needs two."""


def checked_name(text: str) -> str:
    """``text`` in normal form C, if it can be a name; its length is not looked at.

    Raises ``ValueError``, which says what is wrong with it.
    """
    name = unicodedata.normalize("NFC", text)
    if not name:
        raise ValueError("it is empty")
    if name != name.strip(" ") or "  " in name:
        raise ValueError("a space is between words only, and only one")
    marks = _MOST_MARKS  # none can come first
    for each in name:
        # Those that are not printable: control, format (bidirectional overrides among
        # them), surrogate, private, unassigned, and all spaces but the usual one.
        if not each.isprintable() or each in _UNSEEN:
            raise ValueError(f"U+{ord(each):04X} cannot be seen, or changes how others are")
        if unicodedata.category(each) in ("Mn", "Me"):
            marks += 1
            if marks > _MOST_MARKS:
                raise ValueError(f"U+{ord(each):04X} has no letter to stand on")
        else:
            marks = 0 if each != " " else _MOST_MARKS
    return name


def folded(name: str) -> str:
    """The same for all names that are to be taken for one: ``Ada``, ``ADA``, and in full width."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
