"""What people, programs and URLs call an RFC: one parser, and one key for each document.

>>> from netlab.rfc.names import parse
>>> parse("RFC 0793").key, parse("/in-notes/rfc793.txt").key
('rfc793', 'rfc793.txt')
>>> str(parse("https://datatracker.ietf.org/doc/html/bcp14"))
'BCP 14'

Everything that is sent, stored or looked up is made from the parsed name, and nothing
from the text that it was parsed from.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from urllib.parse import unquote

from netlab.errors import ConfigurationError
from netlab.escaping import escape

HIGHEST = 99999
"""The highest number that a document can have: numbers have at most five digits."""

EXAMPLES = "2324, rfc2324, bcp14 or /rfc/rfc2324.txt"

HOSTS = frozenset(
    {
        *("www.rfc-editor.org", "rfc-editor.org", "www.ietf.org", "ietf.org"),
        *("tools.ietf.org", "datatracker.ietf.org"),
    }
)
"""The RFC Editor's and the IETF's hosts: an absolute URL is on one of them."""

_LONGEST = 300  # characters; a name or a path with more is none
_PORTS = ("", "80", "443")


class NotAName(ConfigurationError):
    """A text that names no document; the message says what would."""

    kind = "not_a_name"


class ForeignHost(NotAName):
    """A URL on a host that is neither the RFC Editor's nor the IETF's."""

    kind = "foreign_host"


class Series(StrEnum):
    """The RFCs, and the series within them, whose members may be several RFCs each."""

    RFC = "rfc"
    BCP = "bcp"
    STD = "std"
    FYI = "fyi"


class Form(StrEnum):
    """What is asked for of a document."""

    ANY = ""
    """The document, to be read; the name says no format."""
    TXT = "txt"
    HTML = "html"
    JSON = "json"
    XML = "xml"
    PDF = "pdf"
    INFO = "info"
    """What is known about it: the RFC Editor's ``/info/`` page."""
    ERRATA = "errata"
    """Its errata: the RFC Editor's ``/errata/`` page."""


FORMATS = (Form.TXT, Form.HTML, Form.JSON, Form.XML, Form.PDF)
"""The forms that are files at the RFC Editor."""


class Listing(StrEnum):
    """A file about all documents. Its value is its key and the name of its file."""

    INDEX = "rfc-index.xml"
    ERRATA = "errata.json"

    @property
    def key(self) -> str:
        """The key, which is the name of the file."""
        return self.value

    def urls(self, base: str) -> tuple[str, ...]:
        """Where it may lie, the likeliest first: beside the documents of ``base``, and above."""
        above, slash, _ = base.removesuffix("/").rpartition("/")
        beside = base + self.value
        if above.endswith("/"):  # base has no path: nothing is above it
            return (beside,)
        return (beside, above + slash + self.value)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A document, or a sub-series of them, and the form that is asked for.

    ``str()`` of it is for people: ``RFC 2324``. Raises ``ConfigurationError`` for a
    number that no document can have, and for a format that its series does not have.
    """

    series: Series
    number: int
    form: Form = Form.ANY

    def __post_init__(self) -> None:
        if not 1 <= self.number <= HIGHEST:
            raise NotAName(f"{self.number} is not a number from 1 to {HIGHEST}")
        files = FORMATS if self.series is Series.RFC else FORMATS[:1]
        if self.form in FORMATS and self.form not in files:
            raise NotAName(f"{self} is not in {self.form}: it is txt, and the RFCs in it are more")

    def __str__(self) -> str:
        return f"{self.series.upper()} {self.number}"

    @property
    def key(self) -> str:
        """``rfc2324.txt``; without a format ``rfc2324``. Equal names have equal keys."""
        stem = f"{self.series}{self.number}"
        return f"{stem}.{self.form}" if self.form else stem

    @property
    def file_name(self) -> str:
        """The file of the document in its format, or of its text if no format is named."""
        return f"{self.series}{self.number}.{self.form if self.form in FORMATS else Form.TXT}"

    @property
    def path(self) -> str:
        """Where that file lies, below the folder of the RFCs: ``bcp/bcp14.txt``."""
        return self.file_name if self.series is Series.RFC else f"{self.series}/{self.file_name}"

    @property
    def link(self) -> str:
        """The path of a URL that names it on an RFC server, and that ``parse`` takes."""
        if self.form in FORMATS:
            return f"/rfc/{self.path}"
        return f"/{self.form or 'html'}/{self.series}{self.number}"

    def url(self, base: str) -> str:
        """The URL of its file below ``base``, which ``parse_base`` returned."""
        return base + self.path

    def to(self, form: Form) -> Name:
        """The same document in another form."""
        return replace(self, form=form)


_BETWEEN = r"[\s\xa0\u202f_#:\u2010-\u2015-]{0,8}"  # a series and a number
_NUMBER = r"0{0,20}(?P<number>[1-9][0-9]{0,4})"
_FORM = r"(?:\.(?P<form>[a-z][a-z0-9.]{0,9}))?"
_TYPED = re.compile(
    rf"(?:(?P<series>rfc|bcp|std|fyi){_BETWEEN})?{_NUMBER}{_FORM}",
    re.IGNORECASE | re.ASCII,
)
_PATH = re.compile(
    r"/(?:(?P<folder>rfc|in-notes|html|info|errata|pdf|(?:(?:rfc|in-notes)/)?pdfrfc"
    r"|doc/html|doc/pdf|doc)/)?"
    rf"(?:(?P<within>bcp|std|fyi)/)?(?:(?P<series>rfc|bcp|std|fyi){_BETWEEN})?{_NUMBER}{_FORM}/?",
    re.IGNORECASE | re.ASCII,
)
_LISTING = re.compile(
    r"(?:/(?:(?:rfc|in-notes)/)?)?(?P<file>rfc-index\.xml|errata\.json)", re.IGNORECASE | re.ASCII
)
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]{0,20})://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:[?#].*)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_MEANT = re.compile(
    r"(?P<series>rfc|bcp|std|fyi)?(?<![0-9])[^a-z0-9]{0,3}0{0,20}(?P<number>[1-9][0-9]{0,4})(?![0-9])",
    re.IGNORECASE | re.ASCII,
)

_FOLDERS = {
    **dict.fromkeys(("info", "doc"), Form.INFO),
    **dict.fromkeys(("pdf", "doc/pdf", "pdfrfc", "rfc/pdfrfc", "in-notes/pdfrfc"), Form.PDF),
    "errata": Form.ERRATA,
}
"""What a folder asks for; the others ask for what the file's name says."""

_FORMS = {**{each.value: each for each in FORMATS}, "txt.pdf": Form.PDF, "htm": Form.HTML}


def parse(text: str) -> Name | Listing:
    """What ``text`` names: a document, a sub-series, the index or the errata.

    ``text`` is what a person types (``2324``, ``rfc2324``, ``RFC-793``, ``BCP 14``), the
    name of a file (``rfc2324.txt``), the path of a URL at the RFC Editor or the IETF
    (``/rfc/rfc793.txt``, ``/in-notes/...``, ``/html/...``, ``/info/...``), or such a
    URL. Case, leading zeros, a query and a fragment make no difference.

    Raises ``ForeignHost`` for a URL on any other host, and ``NotAName``, which says what
    would be right, for anything else.
    """
    stripped = text.strip()
    if not stripped:
        raise NotAName(f"no document is named; write for example {EXAMPLES}")
    url = _URL.fullmatch(stripped)
    if url:
        return _in_url(stripped, url["scheme"], url["authority"], url["path"])
    authority, slash, rest = stripped.partition("/")
    if slash and _host(authority) in HOSTS:  # as people write URLs
        return _in_url(stripped, "https", authority, "/" + re.split("[?#]", rest, maxsplit=1)[0])
    if stripped.startswith("/"):
        return _in_path(stripped, re.split("[?#]", stripped, maxsplit=1)[0])
    listing = _LISTING.fullmatch(stripped)
    if listing:
        return Listing(listing["file"].lower())
    typed = _TYPED.fullmatch(stripped) if len(stripped) <= _LONGEST else None
    if typed is None:
        raise _wrong(stripped)
    return _named(stripped, typed["series"], typed["number"], typed["form"], Form.ANY)


def parse_name(text: str) -> Name:
    """The document or sub-series that ``text`` names; see ``parse``.

    The index and the errata are no documents: they raise ``NotAName``, too.
    """
    named = parse(text)
    if isinstance(named, Listing):
        raise NotAName(f"{named} is about all documents; write for example {EXAMPLES}")
    return named


def parse_base(text: str) -> str:
    """The URL of a folder of documents, with a slash at its end.

    Raises ``ConfigurationError`` if it is not one that names can be put after.
    """
    stripped = text.strip()
    matched = re.fullmatch(
        r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?((?:/[!$-.0-;=@-Z_a-z~]*)*)",
        stripped,
        re.IGNORECASE | re.ASCII,
    )
    segments = stripped.split("/")[3:]
    dots = "." in segments or ".." in segments or "" in segments[:-1]
    if matched is None or dots or not 0 < int(matched[3] or 80) < 65536:
        raise ConfigurationError(
            f"upstream '{escape(stripped)}' is not the URL of a folder of RFCs; write for"
            " example https://www.rfc-editor.org/rfc/, without a user, query or fragment"
        )
    scheme, host, port, path = matched.groups(default="")
    colon = ":" if port else ""
    return f"{scheme.lower()}://{host.lower()}{colon}{port}{path.removesuffix('/')}/"


def is_known_host(authority: str) -> bool:
    """Whether the host of a URL (``www.ietf.org:80``) is the RFC Editor's or the IETF's."""
    return _host(authority) in HOSTS


def _host(authority: str) -> str | None:
    """The host in lower case; ``None`` with a port that is no web server's."""
    host, _, port = authority.partition(":")
    return host.lower().removesuffix(".") if port in _PORTS else None


def _in_url(text: str, scheme: str, authority: str, path: str) -> Name | Listing:
    if scheme.lower() not in ("http", "https"):
        raise NotAName(f"'{escape(text)}' is not a URL of http or https")
    if not is_known_host(authority):
        raise ForeignHost(
            f"'{escape(authority)}' is not a host of the RFC Editor or the IETF, such as"
            " www.rfc-editor.org; nothing else is served"
        )
    return _in_path(text, path)


def _in_path(text: str, path: str) -> Name | Listing:
    if len(path) > _LONGEST:
        raise _wrong(text)
    if "%" in path:  # RFC 3986, 6.2.2.2: the same path as without the escapes
        path = unquote(path)
    listing = _LISTING.fullmatch(path)
    if listing:
        return Listing(listing["file"].lower())
    matched = _PATH.fullmatch(path)
    if matched is None:
        raise _wrong(text)
    folder, within, series = (
        (matched[group] or "").lower() for group in ("folder", "within", "series")
    )
    if within and series and within != series:
        raise _wrong(text)
    asked = _FOLDERS.get(folder, Form.ANY)
    form = matched["form"]
    if form and asked in (Form.INFO, Form.ERRATA):
        raise _wrong(text)
    return _named(text, within or series, matched["number"], form, asked)


def _named(text: str, series: str | None, number: str, form: str | None, asked: Form) -> Name:
    if form:
        found = _FORMS.get(form.lower())
        if found is None:
            raise NotAName(
                f"'{escape(text)}': .{escape(form)} is not a format of RFCs{_suggest_form(form)}"
            )
        asked = found
    return Name(Series((series or Series.RFC).lower()), int(number), asked)


def _suggest_form(form: str) -> str:
    close = get_close_matches(form.lower(), FORMATS, n=1)
    meant = f" (did you mean .{close[0]}?)" if close else ""
    return f"{meant}: the known ones are {', '.join(FORMATS)}"


def _wrong(text: str) -> NotAName:
    """The error for ``text``, with what may have been meant."""
    plain = unicodedata.normalize("NFKC", unquote(text[:_LONGEST]))
    meant = _MEANT.search(plain)
    if meant is None and re.search(r"[0-9]{6}", plain):
        why = f"numbers go up to {HIGHEST}"
    elif meant is not None and "/" not in plain:
        series = (meant["series"] or "rfc").upper()
        why = f"did you mean {series} {meant['number']}?"
    else:
        why = f"write for example {EXAMPLES}"
    return NotAName(f"'{escape(text, 80)}' names no RFC; {why}")
