"""Bytes and names that came from a peer, made safe to show.

A log line is read on a terminal. What a peer sent may hold control characters
(which move the cursor, or forge a line) and bidirectional overrides (which
reorder what is read), so nothing from a peer goes into a log unescaped.
"""

from __future__ import annotations

import unicodedata

_ELLIPSIS = "..."


def escape(value: str | bytes, limit: int = 200) -> str:
    """``value`` as printable text of about ``limit`` characters at most.

    Bytes are shown as ASCII with ``\\xNN`` for the rest. In a ``str`` control,
    format (bidirectional overrides among them), surrogate, private and
    line-separating characters become escapes; other text stays as it is.
    """
    cut = len(value) > limit
    value = value[:limit]
    if isinstance(value, bytes):
        text = "".join(
            chr(b) if 32 <= b < 127 and b != 92 else "\\\\" if b == 92 else f"\\x{b:02x}"
            for b in value
        )
    else:
        text = "".join(
            c.encode("unicode_escape").decode("ascii")
            if unicodedata.category(c)[0] in "C" or unicodedata.category(c) in ("Zl", "Zp")
            else c
            for c in value
        )
    return text + _ELLIPSIS if cut else text
