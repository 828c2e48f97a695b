"""The index and the errata, as a server knows them: read when somebody wants to see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from netlab.cache.gateway import Gateway
from netlab.cache.policy import cache_key
from netlab.cache.store import Store
from netlab.escaping import escape
from netlab.fields import Fields
from netlab.http import Request
from netlab.rfc.database import SearchFailed
from netlab.rfc.entries import Index
from netlab.rfc.errata import Erratum, parse_errata
from netlab.rfc.index import LONGEST, UnreadableListing, parse_index
from netlab.rfc.names import Listing
from netlab.rfc.search import Search
from netlab.transport import Log

from .contents import NotThere, awaited, content_of
from .source import Source
from .working import Threads

T = TypeVar("T")

_LOOK = 3600.0  # seconds until the cache is asked for them again
_SOON = 30.0  # and if that did not work: twice as many each time
_PATIENCE = 10.0  # seconds that a visitor waits for the first index

_NO_INDEX = Index(MappingProxyType({}), frozenset(), MappingProxyType({}))
_NO_ERRATA: Mapping[int, tuple[Erratum, ...]] = MappingProxyType({})
_NEAR = Fields([("Cache-Control", "only-if-cached, max-stale")])


class Listings:
    """``index`` and ``errata``, which ``search`` is told as well.

    At the start what is in the mirror and in the cache is read. The upstream is asked
    when somebody wants to see a page, and not before: a server that nobody visits asks
    nobody, and one without a network does not try again and again.
    """

    log = Log()

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        source: Source,
        search: Search,
        threads: Threads,
        *,
        reactor: Any,
    ) -> None:
        self.index = _NO_INDEX
        self.errata = _NO_ERRATA
        self._gateway = gateway
        self._store = store
        self._source = source
        self._search = search
        self._threads = threads
        self._reactor = reactor
        self._digests: dict[Listing, bytes] = {}
        self.reading = False
        """Whether they are being fetched, or read, at this moment."""
        self._stopped = False
        self._due = 0.0
        self._failures = 0
        self._waiting: set[Deferred[None]] = set()

    @property
    def known(self) -> bool:
        """Whether there is an index."""
        return bool(self.index.entries)

    def start(self) -> None:
        """Reads what is at hand, in the background."""
        self._read(near=True)

    def stop(self) -> None:
        """Reads nothing any more."""
        self._stopped = True

    def want(self) -> None:
        """Somebody wants to see them: has them brought up to date, if it is time for that."""
        if not self.reading and not self._stopped and self._reactor.seconds() >= self._due:
            self._read(near=self._source.offline)

    async def ready(self) -> None:
        """The same; waits for the first index, for some seconds."""
        self.want()
        if self.known or not self.reading:
            return
        waiting: Deferred[None] = Deferred()
        waiting.addTimeout(_PATIENCE, self._reactor, lambda *_: None)
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)

    # -- reading

    def _read(self, *, near: bool) -> None:
        self.reading = True
        reading = Deferred.fromCoroutine(self._both(near))
        reading.addErrback(self._failed)
        reading.addCallback(self._done, near)

    def _failed(self, failure: Failure) -> bool:
        if not self._stopped:
            self.log.failure("reading the index failed", failure)
        return False

    def _done(self, good: bool, near: bool) -> None:
        self.reading = False
        now = self._reactor.seconds()
        if near and not self._source.offline:
            self._due = 0.0  # it is not known yet whether there is something newer
        elif good:
            self._due = now + _LOOK
            self._failures = 0
        else:
            self._due = now + min(_LOOK, _SOON * 2**self._failures)
            self._failures += 1
        if near and self._waiting and not self.known:
            self.want()
        if not self.reading:
            self._wake()

    def _wake(self) -> None:
        for each in list(self._waiting):
            if not each.called:
                each.callback(None)

    async def _both(self, near: bool) -> bool:
        """Reads what has changed; whether all that was asked could answer."""
        good, index = await self._listing(Listing.INDEX, parse_index, near)
        if index is not None:
            try:
                await self._threads.run(self._search.update_entries, index.entries.values())
            except SearchFailed as error:
                self._tell(str(error))
            self.index = index  # whoever sees it can search it
            self._wake()
        also_good, errata = await self._listing(Listing.ERRATA, parse_errata, near)
        if errata is not None:
            self.errata = errata
        return good and also_good

    async def _listing(
        self, listing: Listing, parse: Callable[[bytes], T], near: bool
    ) -> tuple[bool, T | None]:
        """Whether it was looked for in vain nowhere; and the listing, unless it is that we have."""
        good = True
        for uri in self._source.uris(listing):
            only_near = near and not self._source.is_near(uri)
            if self._stopped or (only_near and not self._store.entries(cache_key(uri))):
                continue
            request = Request("GET", uri, _NEAR if only_near else ())
            response = await awaited(self._gateway.respond(request, uri))
            try:
                content = await content_of(response, LONGEST)
            except NotThere as error:
                response = error.response
            if response.status != 200:
                good = good and response.status in (404, 410)
                continue
            known = self._digests.get(listing)
            try:
                digest, found = await self._threads.run(_parsed, parse, content, known)
            except UnreadableListing as error:
                self._tell(f"{escape(uri, 200)}: {error}")
                for entry in self._store.entries(cache_key(uri)):
                    self._store.remove(entry)  # else it would be there for a day
                good = False
                continue
            self._digests[listing] = digest
            return True, found
        return good, None

    def _tell(self, text: str) -> None:
        if not self._stopped:
            self.log.warn("{text}", text=text)


def _parsed(
    parse: Callable[[bytes], T], content: bytes, known: bytes | None
) -> tuple[bytes, T | None]:
    """The digest of a listing; and what is in it, if that is not ``known``."""
    digest = blake2b(content, digest_size=16).digest()
    return digest, None if digest == known else parse(content)
