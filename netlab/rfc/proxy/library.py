"""What an RFC server knows: documents, the listings, and the search over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from netlab.cache.gateway import Gateway
from netlab.cache.gateway.serving import Reply
from netlab.cache.policy import cache_key
from netlab.cache.store import Store, StoreFailed
from netlab.fields import Fields
from netlab.http import Request, Response
from netlab.rfc.database import SearchFailed
from netlab.rfc.entries import Entry
from netlab.rfc.names import FORMATS, Form, Listing, Name, Series
from netlab.rfc.results import Results
from netlab.rfc.search import Search
from netlab.rfc.texts import LONGEST_TEXT, read_text
from netlab.transport import Log

from .contents import NotThere, awaited, content_of, let_go, stored_content
from .listings import Listings
from .mirror import Mirror
from .source import Source
from .working import Threads

_BATCH = 64  # texts that are taken into the search at a time
_MIRRORED = 500  # and of a mirror: others have to wait for the end of each

_NOBODY_ASKED = "only-if-cached, max-stale"


class Library:
    """All that is known; ``start`` begins to keep it up to date.

    gateway  fetches and stores documents, ``store`` is its own
    source   where they come from
    search   the search over them, whose texts are from ``stored_text``
    reactor  its threads do what takes long
    """

    log = Log()

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        source: Source,
        search: Search,
        mirror: Mirror | None,
        *,
        reactor: Any,
    ) -> None:
        self.source = source
        self.threads = Threads(reactor)
        self.listings = Listings(gateway, store, source, search, self.threads, reactor=reactor)
        self.gateway = gateway
        self._store = store
        self._search = search
        self._mirror = mirror
        self._stopped = False
        self._noticed: set[int] = set()  # texts that the search knows, or will
        self._new: list[int] = []
        self._learning = False

    # -- starting and stopping

    def start(self) -> None:
        """Reads what is at hand in the background. Raises ``SearchFailed``."""
        known = frozenset(self._search.at_hand())
        self._noticed.update(known)
        self.listings.start()
        self._in_background(self._read_mirror(known), "reading the mirror")

    def stop(self) -> Deferred[None]:
        """Ends that; fires when no thread works on it any more."""
        self._stopped = True
        self.listings.stop()
        return self.threads.when_idle()

    def _in_background(self, work: Any, doing: str) -> None:
        def failed(failure: Failure) -> None:
            if self._stopped:
                return
            if failure.check(SearchFailed):
                self.log.warn("{doing}: {why}", doing=doing, why=failure.getErrorMessage())
            else:
                self.log.failure("{doing} failed", failure, doing=doing)

        Deferred.fromCoroutine(work).addErrback(failed)

    # -- documents

    def respond(self, name: Name | Listing, fields: Fields, method: str) -> Reply:
        """The response to a request for a file, or an awaitable of it."""
        uris = self.source.uris(name)
        if len(uris) == 1:
            return self._respond(uris[0], fields, method)
        return self._first(uris, fields, method)

    def _respond(self, uri: str, fields: Fields, method: str) -> Reply:
        if self.source.offline and not self.source.is_near(uri):
            fields = fields.setting("Cache-Control", _NOBODY_ASKED)
        elif self.source.is_near(uri) and "only-if-cached" in (fields.get("cache-control") or ""):
            fields = fields.without("cache-control")  # the mirror is as good as a cache
        return self.gateway.respond(Request(method, uri, fields), uri)

    async def _first(self, uris: tuple[str, ...], fields: Fields, method: str) -> Response:
        """The response for the first place where something is."""
        for uri in uris[:-1]:
            response = await awaited(self._respond(uri, fields, method))
            if response.status not in (404, 410, 504):
                return response
            await let_go(response)
        return await awaited(self._respond(uris[-1], fields, method))

    async def text(self, number: int) -> bytes:
        """The text of an RFC, as it is served. Raises ``NotThere``."""
        name = Name(Series.RFC, number, Form.TXT)
        response = await awaited(self.respond(name, Fields(), "GET"))
        try:
            content = await content_of(response, LONGEST_TEXT)
        except NotThere:
            self._miss(number)
            raise
        if response.status != 200:
            self._miss(number)
            raise NotThere(response)
        self.notice(number)
        return content

    def entry(self, number: int) -> Entry:
        """What is known of an RFC; its number at least."""
        return self.listings.index.entries.get(number) or Entry(number, "")

    def offered(self, entry: Entry) -> Entry:
        """``entry`` with the formats alone that can be had: of a server offline, what is here."""
        if not self.source.offline:
            return entry
        formats = (form for form in FORMATS if form in entry.formats)
        here = [form.value for form in formats if self._has_file(entry.name.to(form))]
        return replace(entry, formats=tuple(here))

    def _has_file(self, name: Name) -> bool:
        return any(
            self.source.is_near(uri)
            or any(entry.status == 200 for entry in self._store.entries(cache_key(uri)))
            for uri in self.source.uris(name)
        )

    # -- the search

    @property
    def known_texts(self) -> int:
        """How many texts are at hand."""
        return len(self._noticed)

    def has_text(self, number: int) -> bool:
        """Whether the text of an RFC is at hand."""
        return number in self._noticed

    async def find(self, query: str, limit: int, start: int) -> Results:
        """See ``Search.search``."""
        return await self.threads.serve(self._search.search, query, limit, start)

    def at_hand(self, limit: int, start: int) -> list[Entry]:
        """Some of the documents whose text is at hand, by their numbers."""
        return [self.entry(number) for number in sorted(self._noticed)[start : start + limit]]

    def notice(self, number: int) -> None:
        """The text of ``number`` is stored: the search shall know it."""
        if number in self._noticed or self._stopped:
            return
        self._noticed.add(number)
        self._new.append(number)
        if not self._learning:
            self._learning = True
            self._in_background(self._learn(), "taking a text into the search")

    def _miss(self, number: int) -> None:
        """The text is not at hand, although it may have been once."""
        if number in self._noticed and not self._stopped:
            self._noticed.discard(number)
            removing = self.threads.run(self._search.remove_texts, (number,))
            self._in_background(removing, "taking a text out of the search")

    async def _learn(self) -> None:
        try:
            while self._new and not self._stopped:
                batch, self._new = self._new[:_BATCH], self._new[_BATCH:]
                missing = await self.threads.run(self._add, batch)
                self._noticed.difference_update(missing)
        finally:
            self._learning = False

    def _add(self, numbers: list[int]) -> list[int]:
        """Takes in these texts; returns those that are not there after all."""
        texts = [(number, self.stored_text(number)) for number in numbers]
        self._search.add_texts((number, data) for number, data in texts if data is not None)
        return [number for number, data in texts if data is None]

    def stored_text(self, number: int) -> bytes | None:
        """The text of an RFC if it is here; may be called from any thread."""
        data = None if self._mirror is None else self._mirror.text(number)
        if data is not None:
            return data
        uri = Name(Series.RFC, number, Form.TXT).url(self.source.base)
        try:
            for entry in self._store.entries(cache_key(uri)):
                if entry.status == 200:
                    return stored_content(self._store, entry)
        except (StoreFailed, OSError):
            pass
        return None

    async def _read_mirror(self, known: frozenset[int]) -> None:
        """Takes all texts of the mirror into the search, but for those that are ``known`` to it.

        Also those that were asked for meanwhile: whoever is told that it is done finds them.
        """
        if self._mirror is None:
            return
        files = await self.threads.run(lambda mirror: sorted(mirror.texts()), self._mirror)
        new = [(number, path) for number, path in files if number not in known]
        count = 0
        for at in range(0, len(new), _MIRRORED):
            read: list[int] = []
            texts = self._contents(new[at : at + _MIRRORED], read)
            await self.threads.run(self._search.add_texts, texts)
            self._noticed.update(read)
            count += len(read)
            if self._stopped:
                return
        if count:
            self.log.info("{count} texts of the mirror can be searched", count=count)

    def _contents(
        self, files: list[tuple[int, Path]], read: list[int]
    ) -> Iterator[tuple[int, bytes]]:
        for number, path in files:
            if self._stopped:
                return
            data = read_text(path)
            if data is not None:
                read.append(number)
                yield number, data
