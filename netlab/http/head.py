"""The head of a request: read by llhttp, and by the stricter rules of this module.

A request that two programs read in two ways can be used to smuggle a second one
past the first of them (RFC 9112, 11.2). So all that RFC 9110 and 9112 let a server
refuse is refused here: lines that end in LF alone, folded lines, control characters,
white space before a colon, more or fewer than one ``Host``, lengths that could be
read in two ways. What passes here must pass llhttp as well.

An error says which line is wrong and what would be right. It quotes nothing.
"""

from __future__ import annotations

import re

from httptools import HttpParserError, HttpRequestParser

from netlab.fields import Fields

from .complaints import complaint, guess
from .errors import BodyTooLong, RequestError
from .target import AUTHORITY, check_target

END = b"\r\n\r\n"
_LINE = re.compile(rb"([A-Z]{3,7}) (/[!\"$-~]*) HTTP/1\.([01])\r\n")
_METHODS = {each.encode(): each for each in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")}
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LONGEST_METHOD = 32
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_PRINTED = bytes([*b"\t", *range(0x20, 0x7F), *range(0x80, 0x100)])
"""What the lines of a head consist of: all else are CR and LF, in pairs (RFC 9110, 5.5)."""

_SPECIAL = re.compile(
    rb"\r\n(host|connection|content-length|transfer-encoding|expect|upgrade):[ \t]*([^\r]*)",
    re.IGNORECASE,
)
"""The fields that decide how a request is read, and whether another may follow it."""

_UPGRADE = re.compile(rb"(?<=\r\n)upgrade(?=:)", re.IGNORECASE)
_LONGEST_LENGTH = 18  # digits: beyond any file, and short of 2 ** 63


class Section:
    """The header section of a request, checked, and what it says about the request's framing.

    version     of HTTP: (1, 0) or (1, 1)
    host        the value of ``Host``, or ``None``
    keep_alive  whether another request may follow on this connection (RFC 9112, 9.3)
    length      of the body in bytes; ``None``: it comes in chunks
    bodiless    whether no body follows
    expects     whether the client waits for 100 (Continue)
    framed      whether there is a ``Content-Length`` or ``Transfer-Encoding``
    options     what ``Connection`` lists, in lower case
    upgrade     whether there is an ``Upgrade``; it is ignored
    usual       HTTP/1.1, keep-alive and no body: nothing about it needs a second thought
    """

    __slots__ = (
        *("_fields", "bodiless", "expects", "framed", "host", "keep_alive", "length", "options"),
        *("raw", "upgrade", "usual", "version"),
    )

    def __init__(self, raw: bytes, version: tuple[int, int]) -> None:
        self.raw = raw
        self.version = version
        self.host: str | None = None
        self.options: set[bytes] = set()
        self.keep_alive = True
        self.framed = False
        self.length: int | None = 0
        self.bodiless = True
        self.expects = False
        self.upgrade = False
        self.usual = False
        self._fields: Fields | None = None

    @property
    def fields(self) -> Fields:
        """The field lines; read when first asked for."""
        fields = self._fields
        if fields is None:
            lines = self.raw.split(b"\r\n")[:-2]
            pairs = [line.partition(b":") for line in lines]
            fields = self._fields = Fields.received([(name, value) for name, _, value in pairs])
        return fields


class HeadReader:
    """Reads the heads of a server's requests: one for all of its connections.

    max_fields  lines after the first
    max_target  bytes of the request's target
    max_body    bytes of its body, as far as its length is announced
    """

    def __init__(self, max_fields: int, max_target: int, max_body: int | None) -> None:
        self._max_fields = max_fields
        self._max_target = max_target
        self._max_body = max_body
        self._complete = 0
        self._parser = HttpRequestParser(self)

    def on_message_complete(self) -> None:
        """For llhttp: a request has ended."""
        self._complete += 1

    def read(self, head: bytes, last: Section | None) -> tuple[str, str, Section]:
        """The method, the target and the header section of ``head``, which ends in ``END``.

        ``last`` is the section of the request before on the same connection, if
        any: clients repeat themselves, and what was checked is not checked again.
        Raises ``RequestError``.
        """
        match = _LINE.match(head)
        method = _METHODS.get(match[1]) if match is not None else None
        if match is None or method is None or len(match[2]) > self._max_target:
            return self._read_unusual(head, last)
        version = (1, 1) if match[3] == b"1" else (1, 0)
        at = match.end()
        if last is None or last.raw != head[at:] or last.version != version:
            last = self._section(head, at, version, head)
        return method, match[2].decode("ascii"), last

    def _read_unusual(self, head: bytes, last: Section | None) -> tuple[str, str, Section]:
        """The same for request lines of any kind."""
        end = head.index(b"\r\n")
        words = head[:end].split(b" ")
        if len(words) < 3 or words[-1][:5] != b"HTTP/":
            raise RequestError(400, "line 1 is not METHOD TARGET HTTP/1.1" + guess(head))
        if not _TOKEN.fullmatch(words[0]):
            raise RequestError(400, "line 1 does not begin with a method, such as GET")
        if len(words) > 3:
            raise RequestError(400, "there is more than one space on either side of the target")
        method, target, version = words
        if not _VERSION.fullmatch(version):
            raise RequestError(400, "the version is not HTTP/1.1")
        if version not in (b"HTTP/1.0", b"HTTP/1.1"):
            raise RequestError(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
        if len(method) > _LONGEST_METHOD:
            raise RequestError(501, f"no method has more than {_LONGEST_METHOD} letters")
        if len(target) > self._max_target:
            raise self.target_too_long()
        if method == b"CONNECT":
            raise RequestError(501, "no tunnels are made here")
        name = method.decode("ascii")
        check_target(name, target)
        at = end + 2
        minor = int(version[-1:])
        if last is not None and last.raw == head[at:] and last.version == (1, minor):
            section = last
        else:
            told = b"POST / " + version + head[end:]  # llhttp knows but a list of methods
            section = self._section(head, at, (1, minor), told)
        if minor == 0 and not target.startswith(b"/"):
            section.keep_alive = False  # a proxy's client (RFC 9112, 9.3)
        return name, target.decode("ascii"), section

    def _section(self, head: bytes, at: int, version: tuple[int, int], told: bytes) -> Section:
        """The section that begins at ``at``; ``told`` is the head as llhttp is told it."""
        raw = head[at:]
        # Each line ends in CR LF, and there are no other control characters: as many
        # of them are left as there are pairs.
        lines = raw.count(b"\r\n")
        if len(raw.translate(None, _PRINTED)) != 2 * lines or _BARE_LF.search(head, 0, at):
            raise complaint(head)
        if lines - 1 > self._max_fields:
            raise RequestError(431, f"a head here may have {self._max_fields} field lines")
        section = Section(raw, version)
        for name, value in _SPECIAL.findall(head, at - 2):
            _READERS[name.lower()](section, value.rstrip(b" \t"))
        if section.host is None and version == (1, 1):
            raise RequestError(400, "there is no Host field: HTTP/1.1 needs one")
        options = section.options
        section.keep_alive = b"close" not in options and (
            version == (1, 1) or b"keep-alive" in options
        )
        if section.bodiless:
            section.expects = False
            section.usual = section.keep_alive and version == (1, 1)
            self._judge(told, section)
        elif self._max_body is not None and (section.length or 0) > self._max_body:
            raise BodyTooLong(self._max_body)
        return section

    def _judge(self, head: bytes, section: Section) -> None:
        """Has llhttp read the head of a request without a body."""
        before = self._complete
        parser = self._parser
        if not section.keep_alive:  # it would take the next head for one too many
            parser = HttpRequestParser(self)
        try:
            parser.feed_data(without_upgrade(head, section))
        except HttpParserError as error:
            self._parser = HttpRequestParser(self)
            raise complaint(head, f"{error}") from None
        if self._complete != before + 1:
            self._parser = HttpRequestParser(self)
            raise RequestError(400, "the request's framing can be read in two ways")

    # -- heads that are not complete

    def check_part(self, part: bytes, since: int) -> None:
        """Raises ``RequestError`` if no more bytes can make a good head of ``part``.

        Its first ``since`` bytes were checked before. Whoever waits for the rest
        of such a head would wait for the deadline.
        """
        if not since and part != b"\r" and not _TOKEN.match(part):
            raise RequestError(400, "this is not HTTP" + guess(part))
        if _BARE_LF.search(part, since):
            raise complaint(part)
        if b"\n" not in part and len(part) > self._max_target + _LONGEST_METHOD:
            raise self.target_too_long()

    def target_too_long(self) -> RequestError:
        """For a target that is, or will be, above ``max_target``."""
        return RequestError(414, f"a request's target here may have {self._max_target} bytes")


def without_upgrade(head: bytes, section: Section) -> bytes:
    """``head`` as llhttp is to see it: we do not upgrade (RFC 9110, 7.8), so it must not either.

    llhttp would take the body for the first bytes of another protocol, and
    leave it to be read as the next request.
    """
    return _UPGRADE.sub(b"ignored", head) if section.upgrade else head


# -- the fields that matter here


def _read_host(section: Section, value: bytes) -> None:
    if section.host is not None:
        raise RequestError(400, "there is more than one Host field")
    host = value.decode("latin-1")
    if not AUTHORITY.fullmatch(host):
        raise RequestError(400, "the value of Host is not HOST or HOST:PORT")
    section.host = host


def _read_connection(section: Section, value: bytes) -> None:
    section.options.update([each.strip(b" \t") for each in value.lower().split(b",")])


def _frame(section: Section) -> None:
    if section.framed:
        raise RequestError(
            400, "there is more than one Content-Length or Transfer-Encoding, or one of each"
        )
    section.framed = True


def _read_length(section: Section, value: bytes) -> None:
    _frame(section)
    if not value.isdigit():
        raise RequestError(400, "the value of Content-Length is not one number")
    if len(value) > _LONGEST_LENGTH:
        raise RequestError(413, f"Content-Length has more than {_LONGEST_LENGTH} digits")
    section.length = int(value)
    section.bodiless = not section.length


def _read_coding(section: Section, value: bytes) -> None:
    _frame(section)
    if section.version == (1, 0):
        raise RequestError(400, "HTTP/1.0 has no Transfer-Encoding")
    codings = [each.strip(b" \t") for each in value.lower().split(b",")]
    if codings[-1] != b"chunked" or b"chunked" in codings[:-1]:
        raise RequestError(400, "the last transfer coding, and only that one, must be chunked")
    if len(codings) > 1:
        raise RequestError(501, "no transfer coding but chunked is understood here")
    section.length = None
    section.bodiless = False


def _read_expect(section: Section, value: bytes) -> None:
    if section.version == (1, 0):  # RFC 9110, 10.1.1
        return
    if value.lower() != b"100-continue":
        raise RequestError(417, "nothing but 100-continue can be expected here")
    section.expects = True


def _read_upgrade(section: Section, value: bytes) -> None:
    section.upgrade = True


_READERS = {
    b"host": _read_host,
    b"connection": _read_connection,
    b"content-length": _read_length,
    b"transfer-encoding": _read_coding,
    b"expect": _read_expect,
    b"upgrade": _read_upgrade,
}
