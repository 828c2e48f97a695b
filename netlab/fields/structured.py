"""Structured field values (RFC 8941): parse and serialize.

The types are those of RFC 8941, on which Cache-Status, Proxy-Status and
CDN-Cache-Control are defined; RFC 9651 adds two (dates and display strings)
that a field has only when its definition says so, and none of these does.

A Python value stands for each bare item (3.3): ``int``, ``Decimal``, ``str``,
``Token``, ``bytes`` and ``bool``.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from netlab.errors import LocalProtocolError
from netlab.escaping import escape


class Token(str):
    """A token: a short word that is written without quotes (3.3.4)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Token({str(self)!r})"


BareItem = int | Decimal | str | bytes | bool  # a Token is a str
Parameters = Mapping[str, BareItem]


@dataclass(frozen=True, slots=True)
class Item:
    """A bare item with its parameters (3.3)."""

    value: BareItem
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InnerList:
    """Items in parentheses, with the parameters of them all (3.1.1)."""

    items: tuple[Item, ...]
    parameters: Parameters = field(default_factory=dict)


Member = Item | InnerList


class _Malformed(Exception):
    """The value is not what it should be; it never leaves this module."""


_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*+")
_NUMBER = re.compile(r"(-?)([0-9]++)(?:\.([0-9]*+))?+")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]++|\\["\\])*+)"')
_WORD = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*+")
_BYTES = re.compile(r":([A-Za-z0-9+/=]*+):")
_PAIR = re.compile(r"\\(.)")
_DIGITS = 15
_WHOLE_DIGITS = 12
_THOUSANDTH = Decimal("0.001")


def parse_list(value: str) -> list[Member] | None:
    """The members of a List (4.2.1); ``None`` when any part of ``value`` is malformed.

    Several lines of a field are parsed as one value, joined with commas.
    """
    reader = _Reader(value)
    members: list[Member] = []
    try:
        while reader.goes_on(bool(members)):
            members.append(reader.member())
    except _Malformed:
        return None
    return members


def parse_dictionary(value: str) -> dict[str, Member] | None:
    """The members of a Dictionary (4.2.2), the last of each key.

    ``None`` when any part of ``value`` is malformed.
    """
    reader = _Reader(value)
    members: dict[str, Member] = {}
    try:
        while reader.goes_on(bool(members)):
            key = reader.key()
            if reader.take("="):
                members[key] = reader.member()
            else:
                members[key] = Item(True, reader.parameters())
    except _Malformed:
        return None
    return members


def parse_item(value: str) -> Item | None:
    """The Item that ``value`` is (4.2.3); ``None`` when it is malformed."""
    reader = _Reader(value)
    try:
        item = reader.item()
    except _Malformed:
        return None
    return item if reader.at_end() else None


class _Reader:
    """What is left of a value."""

    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        self._text = text.rstrip(" ")
        self._at = len(self._text) - len(self._text.lstrip(" "))

    def at_end(self) -> bool:
        return self._at == len(self._text)

    def goes_on(self, after_member: bool) -> bool:
        """Whether a member comes now; takes the comma before it."""
        if not after_member:
            return not self.at_end()
        self._skip(" \t")
        if self.at_end():
            return False
        if not self.take(","):
            raise _Malformed
        self._skip(" \t")
        if self.at_end():  # a comma, and nothing after it
            raise _Malformed
        return True

    def _skip(self, characters: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1

    def take(self, character: str) -> bool:
        """Whether that character comes now; if so, it is taken."""
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _Malformed
        self._at = match.end()
        return match

    def member(self) -> Member:
        if not self.take("("):
            return self.item()
        items: list[Item] = []
        while True:
            before = self._at
            self._skip(" ")
            if self.take(")"):
                return InnerList(tuple(items), self.parameters())
            if items and self._at == before:  # two items need a space between them
                raise _Malformed
            items.append(self.item())

    def item(self) -> Item:
        return Item(self._bare(), self.parameters())

    def parameters(self) -> dict[str, BareItem]:
        found: dict[str, BareItem] = {}
        while self.take(";"):
            self._skip(" ")
            key = self.key()
            found[key] = self._bare() if self.take("=") else True
        return found

    def key(self) -> str:
        return self._match(_KEY)[0]

    def _bare(self) -> BareItem:
        first = self._text[self._at : self._at + 1]
        if first == '"':
            return _PAIR.sub(r"\1", self._match(_STRING)[1])
        if first == ":":
            return _decode(self._match(_BYTES)[1])
        if first == "?":
            self._at += 1
            if self.take("1"):
                return True
            if self.take("0"):
                return False
            raise _Malformed
        if first and first in "-0123456789":
            return _number(self._match(_NUMBER))
        return Token(self._match(_WORD)[0])


def _number(match: re.Match[str]) -> int | Decimal:
    sign, whole, fraction = match.groups()
    if fraction is None:
        if len(whole) > _DIGITS:
            raise _Malformed
        return int(sign + whole)
    if len(whole) > _WHOLE_DIGITS or not 1 <= len(fraction) <= 3:
        raise _Malformed
    return Decimal(f"{sign}{whole}.{fraction}")


def _decode(text: str) -> bytes:
    """Base64, its padding there or not (4.2.7)."""
    body = text.rstrip("=")
    try:
        return b64decode(body + "=" * (-len(body) % 4), validate=True)
    except Base64Error:
        raise _Malformed from None


def serialize_list(members: Sequence[Member]) -> str:
    """A List as a field value (4.1.1); leave the field out when it is empty.

    Raises ``LocalProtocolError`` for what cannot be written, as do its siblings.
    """
    return ", ".join([_member(each) for each in members])


def serialize_dictionary(members: Mapping[str, Member]) -> str:
    """A Dictionary as a field value (4.1.2); leave the field out when it is empty."""
    written = []
    for key, member in members.items():
        if isinstance(member, Item) and member.value is True:
            written.append(_key(key) + _parameters(member.parameters))
        else:
            written.append(f"{_key(key)}={_member(member)}")
    return ", ".join(written)


def serialize_item(item: Item) -> str:
    """An Item as a field value (4.1.3)."""
    return _bare(item.value) + _parameters(item.parameters)


def _member(member: Member) -> str:
    if isinstance(member, Item):
        return serialize_item(member)
    inner = " ".join([serialize_item(each) for each in member.items])
    return f"({inner}){_parameters(member.parameters)}"


def _parameters(parameters: Parameters) -> str:
    return "".join(
        [
            f";{_key(key)}" if value is True else f";{_key(key)}={_bare(value)}"
            for key, value in parameters.items()
        ]
    )


def _key(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise LocalProtocolError(
            f"'{escape(key, 60)}' is no key of a structured field: begin with a small letter, "
            "go on with small letters, digits and _-.*"
        )
    return key


def _bare(value: BareItem) -> str:
    if isinstance(value, bool):
        return "?1" if value else "?0"
    if isinstance(value, int):
        if abs(value) >= 10**_DIGITS:
            raise LocalProtocolError(
                f"an integer of a structured field has at most {_DIGITS} digits"
            )
        return str(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, bytes):
        return f":{b64encode(value).decode('ascii')}:"
    if isinstance(value, Token):
        if _WORD.fullmatch(value) is None:
            raise LocalProtocolError(f"'{escape(value, 60)}' is no token: write it as a string")
        return str(value)
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if _STRING.fullmatch(quoted) is None:
        raise LocalProtocolError(
            f"'{escape(value, 60)}' is no string of a structured field: use printable ASCII"
        )
    return quoted


def _decimal(value: Decimal) -> str:
    """A decimal, rounded to three digits (4.1.5)."""
    if not value.is_finite() or abs(value) >= 10**_WHOLE_DIGITS:
        raise LocalProtocolError(
            f"a decimal of a structured field has at most {_WHOLE_DIGITS} digits before the point"
        )
    rounded = value.quantize(_THOUSANDTH, ROUND_HALF_EVEN)
    if abs(rounded) >= 10**_WHOLE_DIGITS:  # 999999999999.9999
        raise LocalProtocolError(
            f"a decimal of a structured field has at most {_WHOLE_DIGITS} digits before the point"
        )
    text = f"{rounded:f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def text_or_token(text: str) -> str:
    """``text`` as a ``Token`` if it can be one, else as a string, made printable if need be."""
    return Token(text) if _WORD.fullmatch(text) else printable(text)


def printable(text: str) -> str:
    """``text`` as a string that can be serialized: what is not printable ASCII is escaped."""
    if text.isascii() and text.isprintable():
        return text
    return text.encode("ascii", "backslashreplace").decode("ascii").translate(_CONTROLS)


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}
