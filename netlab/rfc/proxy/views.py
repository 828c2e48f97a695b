"""The pages of the site: what is on each, and what a request says of it."""

from __future__ import annotations

from urllib.parse import parse_qs

from netlab.http import Request, RequestError, Response
from netlab.rfc.database import SearchFailed
from netlab.rfc.names import Name, NotAName, Series, parse_name
from netlab.rfc.pages import front_page, info_page, library_page, results_page, series_page
from netlab.transport import Log

from .contents import NotThere
from .files import Files
from .library import Library
from .rendered import Rendered
from .saying import error, lasting_page, page

_SHOWN = 20  # documents on a page of results
_RECENT = 12
LONGEST_QUERY = 1000


class Views:
    """Makes the pages of what is in ``library``; ``files`` says why a document is not there."""

    log = Log()

    def __init__(self, library: Library, files: Files) -> None:
        self._library = library
        self._files = files
        self._rendered = Rendered(library)

    async def front(self, request: Request) -> Response:
        """The front page."""
        library = self._library
        await library.listings.ready()
        entries = library.listings.index.entries
        recent = [entries[number] for number in sorted(entries)[-_RECENT:]][::-1]
        why = "" if entries else self._why_no_index()
        return page(request, front_page(len(entries), library.known_texts, recent, why))

    async def search(self, request: Request) -> Response:
        """What was found; or the document itself, if the query names one."""
        query = parameter(request, "q")[:LONGEST_QUERY]
        try:
            name = parse_name(query)
        except NotAName:
            pass
        else:
            return Response(303, [("Location", name.link), ("Cache-Control", "no-store")])
        start = _number(request, "start")
        library = self._library
        await library.listings.ready()
        try:
            results = await library.find(query, _SHOWN, start)
        except SearchFailed as failed:
            self.log.warn("{why}", why=str(failed))
            why = "the search index cannot be read now; a document can be opened by its number"
            return error(request, 503, "No search", why)
        if not results.total and query.strip() and not library.listings.known:
            return error(request, 503, "No index yet", self._why_no_index())
        return page(request, results_page(query, results, _SHOWN, start))

    def _why_no_index(self) -> str:
        if self._library.listings.reading:
            why = "the index of all RFCs is on its way: try again in a moment"
        elif self._library.source.offline:
            why = "this server is offline, and has no rfc-index.xml in its mirror or cache"
        else:
            why = "the index of all RFCs could not be had from the upstream so far"
        return f"{why}; a document can be opened by its number"

    async def at_hand(self, request: Request) -> Response:
        """The documents whose text is at hand."""
        start = _number(request, "start")
        library = self._library
        library.listings.want()
        entries = library.at_hand(_SHOWN, start)
        return page(request, library_page(entries, library.known_texts, _SHOWN, start))

    async def info(self, request: Request, name: Name) -> Response:
        """All that is known about a document, or what a sub-series is made of."""
        library = self._library
        await library.listings.ready()
        if name.series is not Series.RFC:
            return self._series(request, name)
        entry = library.listings.index.entries.get(name.number)
        if entry is None:
            return self._unknown(request, name)
        content = info_page(
            library.offered(entry),
            library.listings.errata.get(name.number, ()),
            lambda number: library.entry(number).title,
            at_hand=library.has_text(name.number),
            current=library.listings.index.successors(name.number),
        )
        return page(request, content)

    async def read(self, request: Request, name: Name) -> Response:
        """A document to be read; a sub-series of one document is that document."""
        listings = self._library.listings
        if name.series is Series.RFC:
            listings.want()  # the text does not wait for what is known about it
        else:
            await listings.ready()
            numbers = listings.index.documents(name)
            if len(numbers) != 1:
                return self._series(request, name)
            name = Name(Series.RFC, numbers[0])
        if name.number in listings.index.not_issued:
            return self._files.missing(request, name, Response(404))
        try:
            found = await self._rendered.page(name.number)
        except NotThere as missing:
            return self._files.missing(request, name, missing.response)
        return lasting_page(request, *found)

    def _series(self, request: Request, name: Name) -> Response:
        library = self._library
        entries = [library.entry(each) for each in library.listings.index.documents(name)]
        if not entries:
            return self._unknown(request, name)
        return page(request, series_page(name, entries))

    def _unknown(self, request: Request, name: Name) -> Response:
        if self._library.listings.known:
            return self._files.missing(request, name, Response(404))
        return error(request, 503, "No index yet", self._why_no_index())


def parameter(request: Request, name: str, default: str = "") -> str:
    """A parameter of the query, as text. Raises ``RequestError`` if there are too many."""
    try:
        found = parse_qs(request.query, max_num_fields=20, errors="replace")
    except ValueError:
        raise RequestError(400, "the query has too many parameters") from None
    return found.get(name, [default])[0]


def _number(request: Request, name: str) -> int:
    value = parameter(request, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 7 else 0
