"""The bytes of an RFC's text, as lines to read: decoded, and without its page breaks.

The texts of fifty years: ASCII, UTF-8 with and without a byte-order mark, old ones in
Latin-1 or Windows-1252; underlining by overstriking; pages of 58 lines with a running
head and foot, for printers. None of this changes what is served: the bytes stay.

Source: RFC 2223, 3 (the format of pages); RFC 7994 (since 2019: UTF-8, and no pages).
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Sequence

WIDTH = 72
"""The columns of a line (RFC 2223, 3a)."""

_DEEPEST = 4  # lines of a running head, at most
_APART = 8  # lines from a foot to the next page's head, at most
_GAP = 2  # empty lines that stay together, at most

_ROMAN = "[ivxl]{1,7}"
_PAGE = re.compile(
    rf"\[\s?page\s*(?:[0-9]+|{_ROMAN})\s?\]|page\s?\[(?:[0-9]+|{_ROMAN})\]", re.IGNORECASE
)
_NUMBER = re.compile(rf"[\W_]*(?:page\W+)?(?:[0-9]{{1,3}}|{_ROMAN})[\W_]*", re.IGNORECASE)
_HEAD = re.compile(r"\s*(?:NWG/)?RFC[-# ]{0,3}[0-9]+\b(?:.*\s{2}.*|.*[0-9])?", re.IGNORECASE)
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\b\t\n\f\r")
_MORE_CONTROLS = re.compile("[\x80-\x9f]")
_ENDS = re.compile(r"[.:!?][\"')\]]{0,2}$")
_ITEM = re.compile(r"\s*(?:[-*o+]|\(?(?:[0-9]{1,3}|[a-zA-Z])[.)]|[0-9]+(?:\.[0-9]+)+\.?)\s+")
_ART = re.compile(
    r"[-+=_]{3}|\||\s[+-]\s|\S {3,}\S|[;{}]$|::=|^\s*<[\w/!?]|(?:\b[0-9a-fA-F]{2} ?){6}"
)
_DOTS = re.compile(r"[. ]{3,}[0-9ivxl]+$")


# Found now: a process may have no right to read Python's library when it first decodes.
codecs.lookup("utf-8-sig")
codecs.lookup("cp1252")


def decode(data: bytes) -> str:
    """The text of ``data``, in whatever encoding it is; lines end in LF.

    UTF-8, with or without a byte-order mark, where that can be; else Windows-1252, of
    which Latin-1's letters are a part. Of what is overstruck, the visible character
    stays. Control characters are left out, but for tabs and form feeds.
    """
    data = data.translate(None, _CONTROLS)  # the same bytes in all of the encodings
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    if not text.isascii():
        text = _MORE_CONTROLS.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if "\b" in text or "\r" in text:
        text = "\n".join(
            _struck(line) if "\b" in line or "\r" in line else line for line in text.split("\n")
        )
    return text


def unpaged(text: str) -> list[str]:
    """The lines of ``text`` without its running heads and feet, as if it were on one page.

    A paragraph or drawing that goes on over the end of a page is whole again. No line
    has tabs, or blanks at its end; there are no empty lines at the beginning and the end,
    and nowhere more than two together.
    """
    pages = [
        [line.expandtabs().rstrip() for line in page.split("\n")]
        for page in _pages(text)
        if page and not page.isspace()
    ]
    if len(pages) > 1 or "\f" in text:
        _cut_heads(pages)
        _cut_feet(pages)
    width = _width(pages)
    lines: list[str] = []
    for page in pages:
        _trim(page)
        if page and lines and not _goes_on(lines, page, width):
            lines.append("")
        lines += page
    return _without_gaps(lines)


def indent_of(line: str) -> int:
    """The column at which the text of a line begins."""
    return len(line) - len(line.lstrip())


def _struck(line: str) -> str:
    """What is seen of a line with backspaces, or carriage returns, on paper."""
    seen: list[str] = []
    at = 0
    for character in line:
        if character == "\b":
            at = max(at - 1, 0)
        elif character == "\r":
            at = 0
        else:
            if at == len(seen):
                seen.append(character)
            elif seen[at] in " _":
                seen[at] = character if character != " " else seen[at]
            elif character not in " _":
                seen[at] = character
            at += 1
    return "".join(seen)


def _pages(text: str) -> list[str]:
    """The pages; where form feeds got lost, some or all, a foot followed by a head parts them."""
    return [part for page in text.split("\f") for part in _parted(page)]


def _parted(page: str) -> list[str]:
    if "[" not in page:
        return [page]
    lines = page.split("\n")
    parts: list[list[str]] = [[]]
    for at, line in enumerate(lines):
        parts[-1].append(line)
        if line.endswith("]") and _PAGE.search(line):
            after = next((each for each in lines[at + 1 : at + 1 + _APART] if each.strip()), "")
            if _HEAD.fullmatch(after.rstrip()):
                parts.append([])
    return ["\n".join(part) for part in parts]


def _normal(line: str) -> str:
    """A line of a head or foot without what differs from page to page."""
    line = re.sub("[0-9]+", "0", " ".join(line.lower().split()))
    return re.sub(rf"\b{_ROMAN}\b", "0", line)


def _cut_heads(pages: list[list[str]]) -> None:
    blocks = [_block(page) for page in pages[1:]]
    seen = Counter(_normal(line) for block in blocks for line in dict.fromkeys(block[:_DEEPEST]))
    usual = sum(bool(block) and _HEAD.fullmatch(block[0]) is not None for block in blocks)
    for page, block in zip(pages[1:], blocks, strict=True):
        depth = 0
        for line in block[:_DEEPEST]:
            often = seen[_normal(line)] >= max(3, len(blocks) / 4)
            named = 2 * usual >= len(blocks) and _HEAD.fullmatch(line) is not None
            if not often and (depth or not named):
                break
            depth += 1
        if depth >= 2 and len(block) <= _DEEPEST:
            depth = len(block)  # the name of a section, as in RFC 793
        if depth:
            start = next(at for at, line in enumerate(page) if line)
            del page[: start + depth]


def _block(page: Sequence[str]) -> list[str]:
    """The first lines of a page, up to an empty one."""
    block: list[str] = []
    for line in page:
        if line:
            block.append(line)
        elif block:
            break
    return block


def _cut_feet(pages: list[list[str]]) -> None:
    feet = [next((line for line in reversed(page) if line), "") for page in pages]
    seen = Counter(map(_normal, feet))
    usual = sum(_NUMBER.fullmatch(foot) is not None for foot in feet)
    for page, foot in zip(pages, feet, strict=True):
        often = seen[_normal(foot)] >= max(3, len(pages) / 4)
        number = 2 * usual >= len(pages) and _NUMBER.fullmatch(foot) is not None
        if foot and (often or number or _PAGE.search(foot)):
            while not page.pop():
                pass


def _trim(page: list[str]) -> None:
    while page and not page[-1]:
        page.pop()
    start = next((at for at, line in enumerate(page) if line), 0)
    del page[:start]


def _width(pages: list[list[str]]) -> int:
    """The column that nearly all lines of the text end before."""
    lengths = sorted(len(line) for page in pages for line in page if len(line) > WIDTH // 2)
    return min(lengths[len(lengths) * 19 // 20] if lengths else WIDTH, WIDTH)


def _goes_on(lines: Sequence[str], page: Sequence[str], width: int) -> bool:
    """Whether the paragraph or drawing at the end of ``lines`` goes on at the top of ``page``."""
    last, first = lines[-1], page[0]
    if _DOTS.search(last) and _DOTS.search(first):
        return True
    if _ITEM.match(first) or (not first[0].isspace() and last[0].isspace()):
        return False
    if _ART.search(last) and _ART.search(first):
        return True
    item = _ITEM.match(last)
    indents = (indent_of(last), item.end() if item else -1)
    begins_low = first.lstrip()[:1].islower()
    word = first.split(maxsplit=1)[0]
    full = len(last) + 1 + len(word) > width
    if indent_of(first) not in indents:
        # The first line of a paragraph alone at the end of a page, if it is indented.
        alone = len(lines) < 2 or not lines[-2]
        return alone and full and begins_low
    return begins_low or not _ENDS.search(last) if full else begins_low and not _ENDS.search(last)


def _without_gaps(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    gap = 0
    for line in lines:
        gap = 0 if line else gap + 1
        if gap <= _GAP and (line or kept):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept
