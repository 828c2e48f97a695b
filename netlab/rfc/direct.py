"""RFCs without a server: from this user's cache, and from the upstream.

    with Direct(DEFAULT_UPSTREAM, default_folder()) as library:
        library.file(parse_name("rfc2324.txt"))

The folder is that of ``twistd netlab rfc``. While a server has it open, the documents
are kept in memory; the search index is shared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

from netlab.cache.store import Store, open_store
from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.rfc.asking import Asker, NotThere, OutOfReach
from netlab.rfc.database import SearchFailed
from netlab.rfc.entries import Entry
from netlab.rfc.errata import Erratum, parse_errata
from netlab.rfc.index import UnreadableListing, parse_index
from netlab.rfc.keeping import Keeping, Kept, NotAtHand
from netlab.rfc.metadata import parse_metadata
from netlab.rfc.names import Form, Listing, Name, Series
from netlab.rfc.results import Results
from netlab.rfc.search import Search

_MADE_OF = "search.index"  # the file that says which index the search was made of
_MOST_MEMBERS = 100  # RFCs in a sub-series; BCP 9 has seven


class About(NamedTuple):
    """What a reader of a document must know; ``errata`` is ``None`` if they were not counted."""

    entry: Entry
    errata: int | None


class Direct:
    """Documents and what is known of them.

    base    the URL of the upstream's documents, from ``parse_base``
    folder  of the cache; ``None`` to keep nothing
    offline never ask the upstream
    told    is called with a sentence when something is not as it should be
    clock   the time in seconds since the epoch

    Methods raise ``NotThere`` for what does not exist, and ``OutOfReach``.
    """

    def __init__(
        self,
        base: str,
        folder: Path | None,
        *,
        offline: bool = False,
        told: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = base
        self._folder = folder
        self._told = told
        self._alone = ""  # why there is no cache
        self._store = self._open(folder)
        self._asker = None if offline else Asker(base)
        self._keeping = Keeping(self._store, self._asker, clock=clock)
        self._search: Search | None = None
        self._looked = False  # whether there is a new index
        self._excuses: set[str] = set()

    def __enter__(self) -> Direct:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Waits until what has come is on the disk, and lets go of everything."""
        if self._asker is not None:
            self._asker.close()
        if self._search is not None:
            self._search.close()
        self._store.close()

    def _open(self, folder: Path | None) -> Store:
        if folder is None:
            self._alone = "there is no folder for a cache"
            return open_store(None)
        try:
            return open_store(folder / "http", told=self._told)
        except ConfigurationError as error:
            self._alone = str(error)
            return open_store(None)

    # -- documents

    def file(self, name: Name) -> bytes:
        """The file that ``name`` names, as it is."""
        kept = self._get(name.url(self._base), str(name))
        if kept.status != 200:
            form = "" if name.form in (Form.TXT, Form.ANY) else f" as {name.form}"
            raise NotThere(
                f"{_host(self._base)} has no {name}{form}"
                + (": it does not exist, or not yet" if not form else "; its text may be there")
            )
        if kept.came and name.series is Series.RFC and name.file_name.endswith(".txt"):
            self._learn(name.number, kept.content)
        return kept.content

    def about(self, number: int) -> About | None:
        """What a reader must know of an RFC; ``None`` if that is not known."""
        name = Name(Series.RFC, number, Form.JSON)
        with suppress(OutOfReach, UnreadableListing):
            kept = self._keeping.get(name.url(self._base))
            if kept.status == 200:
                return About(parse_metadata(kept.content, number), None)
        with suppress(SearchFailed, ConfigurationError):
            entry = self._index().entry(number)
            return None if entry is None else About(entry, None)
        return None

    # -- the listings

    def entry(self, number: int) -> Entry:
        """All that is known of an RFC."""
        entry = self._indexed().entry(number)
        if entry is None:
            raise NotThere(f"the index has no RFC {number}: it does not exist, or not yet")
        return entry

    def title(self, number: int) -> str:
        """The title of an RFC, or an empty text."""
        entry = self._indexed().entry(number)
        return "" if entry is None else entry.title

    def members(self, name: Name) -> tuple[Entry, ...]:
        """The RFCs of a sub-series."""
        name = name.to(Form.ANY)
        hits = self._indexed().search(str(name), _MOST_MEMBERS).hits
        found = tuple(hit.entry for hit in hits if name in hit.entry.is_also)
        if not found:
            raise NotThere(f"the index has no {name}: it does not exist, or no more")
        return found

    def errata(self, number: int) -> tuple[Erratum, ...]:
        """The errata of an RFC."""
        uris = Listing.ERRATA.urls(self._base)
        for uri in uris:
            try:
                kept = self._get(uri, "the list of errata")
                if kept.status == 200:
                    return parse_errata(kept.content).get(number, ())
            except (OutOfReach, UnreadableListing) as error:
                self._told(f"errata are not shown: {error}")
                return ()
        return ()

    def search(self, query: str, limit: int, start: int = 0) -> Results:
        """The documents that ``query`` asks for, ``limit`` of them from ``start`` on."""
        return self._indexed().search(query, limit, start)

    def _indexed(self) -> Search:
        """The search, after a look whether there is a new index."""
        search = self._index()
        if self._looked:
            return search
        self._looked = True
        try:
            content = self._listing()
        except OutOfReach:
            if not self._known:
                raise
            return search
        digest = blake2b(content, digest_size=16).hexdigest()
        if digest != self._known:
            try:
                index = parse_index(content)
            except UnreadableListing as error:
                raise OutOfReach(
                    f"the index at {_host(self._base)} is of no use: {error}"
                ) from error
            search.update_entries(index.entries.values())
            self._remember(digest, index.latest)
        return search

    def _listing(self) -> bytes:
        uris = Listing.INDEX.urls(self._base)
        for uri in uris:
            try:
                kept = self._get(uri, "the index")
            except NotAtHand:
                if uri == uris[-1]:
                    raise
                continue
            if kept.status == 200:
                return kept.content
        raise OutOfReach(f"{_host(self._base)} has no index: nothing at {' or '.join(uris)}")

    def _index(self) -> Search:
        if self._search is None:
            path = None if self._folder is None else self._folder / "search.sqlite"
            try:
                if path is not None:
                    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._search = Search(path or ":memory:", self._text)
            except (OSError, ConfigurationError) as error:
                self._told(f"{error}; what is known is not kept")
                self._folder = None
                self._search = Search(":memory:", self._text)
        return self._search

    @property
    def _known(self) -> str:
        """The digest of the index that the search was last made of here; '' for none."""
        if self._folder is None:
            return ""
        with suppress(OSError, ValueError):
            digest, latest = (self._folder / _MADE_OF).read_text("ascii").split()
            if self._index().entry(int(latest)) is not None:  # else it was made anew
                return digest
        return ""

    def _remember(self, digest: str, latest: int) -> None:
        if self._folder is not None:
            with suppress(OSError):  # next time it is read again
                (self._folder / _MADE_OF).write_text(f"{digest} {latest}\n", "ascii")

    def _learn(self, number: int, content: bytes) -> None:
        """The text of a document is at hand now, and can be searched."""
        if not self._alone:
            with suppress(SearchFailed):
                self._index().add_text(number, content)

    def _text(self, number: int) -> bytes | None:
        return self._keeping.stored(Name(Series.RFC, number, Form.TXT).url(self._base))

    def _get(self, uri: str, what: str) -> Kept:
        try:
            kept = self._keeping.get(uri)
        except NotAtHand as error:
            why = "this is --offline, and it is not in the cache"
            alone = f" ({self._alone})" if self._alone else ""
            raise NotAtHand(f"{what} is not here: {why}{alone}") from error
        except OutOfReach as error:
            raise OutOfReach(f"{what} cannot be had: {error}") from error
        if kept.status not in (200, 404, 410):
            raise OutOfReach(f"{what} cannot be had: {_host(uri)} answers {kept.status}")
        if kept.excuse and kept.excuse not in self._excuses:
            self._excuses.add(kept.excuse)
            day = time.strftime("%Y-%m-%d", time.localtime(kept.since))
            self._told(f"{kept.excuse}; {what} is shown as it was on {day}")
        return kept


def _host(uri: str) -> str:
    return escape(urlsplit(uri).netloc, 80)
