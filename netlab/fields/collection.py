"""The field section of an HTTP message: an ordered collection of field lines (RFC 9110, 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView

from netlab.errors import LocalProtocolError, RemoteProtocolError
from netlab.escaping import escape

_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUE = bytes([*b"\t", *range(0x20, 0x7F), *range(0x80, 0x100)])
_OWS = " \t"
_NAMES = frozenset({"Age", "Cache-Status", "Content-Length", "Date", "Via"})  # checked before


class Fields:
    """Field lines in order; names match in any case and may repeat. It never changes.

    Names and values are ``str``, each character one octet of the wire (latin-1).
    White space around a value is not part of it (RFC 9110, 5.5).

    >>> fields = Fields([("Vary", "Accept"), ("vary", "Cookie"), ("Age", "7")])
    >>> fields.get("VARY"), fields.lines("vary"), "etag" in fields
    ('Accept, Cookie', ('Accept', 'Cookie'), False)
    >>> fields.without("vary").adding(("ETag", '"x"')).to_bytes()
    b'Age: 7\\r\\nETag: "x"\\r\\n'

    ``Fields(pairs)`` is for the lines that this program writes. A name that is
    no token, or a value with a control character (CR and LF among them) or a
    character above U+00FF raises ``LocalProtocolError``. ``Fields.received``
    is for the lines of a peer.
    """

    __slots__ = ("_index", "_lines")
    _lines: tuple[tuple[str, str], ...]
    _index: dict[str, str] | None

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._lines = tuple([_line(name, value) for name, value in pairs])
        self._index = None

    @classmethod
    def received(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Fields:
        """The lines that came from a peer, as the parser of its message gives them.

        Raises ``RemoteProtocolError`` for a name that is no token (RFC 9110,
        5.1) and for a control character other than a tab in a value (5.5).
        """
        pairs = list(pairs)
        names = [name for name, _ in pairs]
        values = b"".join([value for _, value in pairs])
        # All at once: this is done for each message.
        if b"".join(names).translate(None, _TOKEN) or values.translate(None, _VALUE):
            raise RemoteProtocolError(_complaint(pairs))
        if not all(names):
            raise RemoteProtocolError("a field line without a name")
        return cls._of(
            tuple(
                [
                    (name.decode("latin-1"), value.decode("latin-1").strip(_OWS))
                    for name, value in pairs
                ]
            )
        )

    @classmethod
    def _of(cls, lines: tuple[tuple[str, str], ...]) -> Fields:
        """A collection of lines that were checked before."""
        fields = cls.__new__(cls)
        fields._lines = lines
        fields._index = None
        return fields

    def _values(self) -> dict[str, str]:
        """Each name in lower case with its combined value; made when first asked for."""
        index = self._index
        if index is None:
            index = {name.lower(): value for name, value in self._lines}
            if len(index) < len(self._lines):  # some repeat: join them
                index = {}
                for name, value in self._folded():
                    index[name] = f"{index[name]}, {value}" if name in index else value
            self._index = index
        return index

    def get(self, name: str) -> str | None:
        """The value of a field, several lines joined with a comma (RFC 9110, 5.2); or ``None``.

        ``Set-Cookie`` cannot be joined (5.3): ask for its ``lines``.
        """
        return self._values().get(name.lower())

    def lines(self, name: str) -> tuple[str, ...]:
        """The value of each line with that name, in order."""
        name = name.lower()
        if name not in self._values():
            return ()
        return tuple([value for each, value in self._lines if each.lower() == name])

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def names(self) -> KeysView[str]:
        """The names in lower case, as a set."""
        return self._values().keys()

    def adding(self, *pairs: tuple[str, str]) -> Fields:
        """These lines and ``pairs`` after them."""
        return self._of(self._lines + tuple([_line(name, value) for name, value in pairs]))

    def setting(self, name: str, value: str) -> Fields:
        """The same with one line of that name, where its first was, or at the end."""
        line = _line(name, value)
        folded = name.lower()
        places = [at for at, (each, _) in enumerate(self._lines) if each.lower() == folded]
        if not places:
            return self._of((*self._lines, line))
        first = places[0]
        return self._of((*self._lines[:first], line, *self.without(name)._lines[first:]))

    def without(self, *names: str) -> Fields:
        """The same without the lines of these names."""
        return self.excluding(frozenset([name.lower() for name in names]))

    def excluding(self, names: frozenset[str]) -> Fields:
        """As ``without``, for names that are in lower case already."""
        if names.isdisjoint(self._values()):
            return self
        return self._of(tuple([line for line in self._lines if line[0].lower() not in names]))

    def only(self, *names: str) -> Fields:
        """The lines of these names and no others."""
        kept = {name.lower() for name in names}
        return self._of(tuple([line for line in self._lines if line[0].lower() in kept]))

    def updated(self, others: Fields) -> Fields:
        """The same, each field that ``others`` has replaced by theirs (RFC 9111, 3.2)."""
        return self._of(self.without(*others._values())._lines + others._lines)

    def to_bytes(self) -> bytes:
        """Each line as it is on the wire, with its CR LF; without the blank line at the end."""
        return "".join([f"{name}: {value}\r\n" for name, value in self._lines]).encode("latin-1")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fields):
            return NotImplemented
        return self._lines == other._lines or self._folded() == other._folded()

    def __hash__(self) -> int:
        return hash(self._folded())

    def _folded(self) -> tuple[tuple[str, str], ...]:
        return tuple([(name.lower(), value) for name, value in self._lines])

    def __repr__(self) -> str:
        return f"Fields({list(self._lines)!a})"


def _line(name: str, value: str) -> tuple[str, str]:
    """A line of our own, checked."""
    if name in _NAMES and value.isascii() and value.isprintable():
        return name, value.strip(_OWS)
    if not name.isascii() or not name or name.encode().translate(None, _TOKEN):
        raise LocalProtocolError(
            f"'{escape(name, 60)}' is not a field name: use letters, digits and !#$%&'*+-.^_`|~"
        )
    try:
        raw_value = value.encode("latin-1")
    except UnicodeEncodeError:
        raise LocalProtocolError(
            f"the value of {name} has a character above U+00FF: "
            "encode it, as RFC 8187 or percent-encoding does"
        ) from None
    illegal = raw_value.translate(None, _VALUE)
    if illegal:
        raise LocalProtocolError(
            f"control character {escape(illegal[:1])} in the value of {name}: "
            "a field value is one line of text"
        )
    return name, value.strip(_OWS)


def _complaint(pairs: list[tuple[bytes, bytes]]) -> str:
    """What is wrong with the first bad line."""
    for name, value in pairs:
        if name.translate(None, _TOKEN):
            break
        illegal = value.translate(None, _VALUE)
        if illegal:
            return f"control character {escape(illegal[:1])} in the value of {escape(name, 60)}"
    return f"'{escape(name, 60)}' is not a field name"
