"""RFCs through the server that runs already: ``twistd netlab rfc``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from netlab.escaping import escape
from netlab.fields import Fields
from netlab.rfc.answers import Reply
from netlab.rfc.asking import Asker, NotThere, OutOfReach
from netlab.rfc.direct import About
from netlab.rfc.entries import Date, Entry
from netlab.rfc.errata import Erratum, parse_errata
from netlab.rfc.index import UnreadableListing
from netlab.rfc.names import Form, Listing, Name, parse_name
from netlab.rfc.pages import counted
from netlab.rfc.queries import parse_query
from netlab.rfc.results import Hit, Results
from netlab.rfc.snippets import snippet

DEFAULT_SERVER = "http://localhost:8080"
_OURS = re.compile(r"netlab(?:/[^ ]*)?", re.ASCII)
_PATIENCE = 2.0  # seconds for a server on this machine to say who it is
_SLOW = 60.0  # seconds for it to ask its upstream
_MONTHS = {str(Date(0, month)): month for month in range(1, 13)}
_NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
_CACHED = Fields([("Cache-Control", "only-if-cached, max-stale")])


def find(url: str, *, offline: bool = False) -> Proxied | None:
    """The server of ours that listens at ``url``; ``None`` if there is none, or another program's.

    It is ours by its ``Server`` field, and serves RFCs by its ``/api/status``. Takes two
    seconds at most. With ``offline`` it is asked for what it has at hand only.
    """
    asker = Asker(url, connect=_PATIENCE / 2, silence=_PATIENCE / 2)
    try:
        reply = asker.ask(f"{url.removesuffix('/')}/api/status")
        server = reply.fields.get("server") or ""
        if not _OURS.fullmatch(server) or reply.status != 200:
            return None
        status = msgspec.json.decode(reply.content, type=dict[str, Any])
        if not isinstance(status.get("documents"), int):
            return None
    except (OutOfReach, ValueError, RecursionError):
        return None
    finally:
        asker.close()
    return Proxied(url, offline=offline and status.get("offline") is not True)


class Proxied:
    """What the server at ``url`` has: the methods of ``netlab.rfc.direct.Direct``."""

    def __init__(self, url: str, *, offline: bool = False) -> None:
        self._url = url.removesuffix("/")
        self._host = escape(urlsplit(url).netloc, 80)
        self._fields = _CACHED if offline else Fields()
        self._asker = Asker(url, silence=_SLOW)
        self._entries: dict[int, tuple[Entry, int]] = {}

    def __enter__(self) -> Proxied:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the connection."""
        self._asker.close()

    def file(self, name: Name) -> bytes:
        """See ``Direct.file``."""
        return self._file(name.to(Form.TXT) if name.form is Form.ANY else name)

    def _file(self, name: Name | Listing) -> bytes:
        path = name.link if isinstance(name, Name) else f"/{name.value}"
        reply = self._ask(path)
        if reply.status != 200:
            # As the server says it, in a line: "404 No RFC 9: Why."
            said = reply.content[:500].decode("utf-8", "replace").strip().removesuffix(".")
            said = re.sub("^[0-9]{3} ", "", said)
            text = f"{self._host}: {escape(said) or reply.status}"
            raise NotThere(text) if reply.status in (404, 410) else OutOfReach(text)
        return reply.content

    def about(self, number: int) -> About | None:
        """See ``Direct.about``."""
        with suppress(NotThere, OutOfReach):
            return About(*self._known(number))
        return None

    def entry(self, number: int) -> Entry:
        """See ``Direct.entry``."""
        return self._known(number)[0]

    def title(self, number: int) -> str:
        """See ``Direct.title``."""
        with suppress(NotThere):
            return self.entry(number).title
        return ""

    def members(self, name: Name) -> tuple[Entry, ...]:
        """See ``Direct.members``."""
        record = self._json(f"/api/{name.to(Form.ANY).key}")
        with self._understanding():
            return tuple(self.entry(each["number"]) for each in record["documents"])

    def errata(self, number: int) -> tuple[Erratum, ...]:
        """See ``Direct.errata``."""
        if not self._known(number)[1]:
            return ()
        with self._understanding():
            return parse_errata(self._file(Listing.ERRATA)).get(number, ())

    def search(self, query: str, limit: int, start: int = 0) -> Results:
        """See ``Direct.search``."""
        found = self._json(f"/api/search?q={quote(query)}&limit={limit}&start={start}")
        words = parse_query(query).words
        with self._understanding():
            hits = tuple(self._hit(each, words) for each in found["hits"])
            return Results(hits, int(found["total"]), found.get("every") is not False)

    def _hit(self, found: Mapping[str, Any], words: tuple[str, ...]) -> Hit:
        text = str(found["snippet"])
        whole = snippet(text, words, 4 * len(text) + 4)  # with the words marked that were found
        try:
            entry = self.entry(found["number"])
        except NotThere:
            entry = Entry(found["number"], "")
        return Hit(entry, whole if text else (), found["at_hand"] is True)

    # -- asking

    def _known(self, number: int) -> tuple[Entry, int]:
        """What is known of a document, and how many errata it has."""
        if number not in self._entries:
            record = self._json(f"/api/rfc{int(number)}")
            with self._understanding():
                self._entries[number] = _entry(record)
        return self._entries[number]

    def _json(self, path: str) -> dict[str, Any]:
        reply = self._ask(path)
        with self._understanding():
            record = msgspec.json.decode(reply.content, type=dict[str, Any])
        if reply.status == 404:
            raise NotThere(f"{self._host}: {escape(str(record.get('error', 'it is not there')))}")
        if reply.status != 200:
            raise OutOfReach(f"{self._host} answers {reply.status} {escape(reply.reason, 60)}")
        return record

    def _ask(self, path: str) -> Reply:
        return self._asker.ask(self._url + path, self._fields)

    @contextmanager
    def _understanding(self) -> Iterator[None]:
        """Says that an answer is not what it should be, whatever it is instead."""
        try:
            yield
        except (*_NOT_UNDERSTOOD, UnreadableListing) as error:
            raise OutOfReach(
                f"{self._host} answers what is not understood: is it another version of netlab?"
            ) from error


def _entry(record: Mapping[str, Any]) -> tuple[Entry, int]:
    plain = {key: value for key, value in record.items() if key in Entry.__dataclass_fields__}
    plain["date"] = _date(record["date"])
    for relation in ("see_also", "is_also"):
        plain[relation] = [asdict(parse_name(each)) for each in record[relation]]
    entry = msgspec.convert(plain, Entry)
    errata = [Erratum(entry.number, 0, status=each["status"]) for each in record["errata"]]
    return entry, len(counted(errata))


def _date(text: str) -> Date:
    """The date that ``str(Date)`` wrote."""
    *rest, year = text.split() or ["0"]
    month = _MONTHS[rest.pop()] if rest else 0
    return Date(int(year), month, int(rest.pop()) if rest else 0)
