"""``twistd netlab rfc``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.python import usage

from netlab.cache.gateway import Gateway
from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.rfc.database import SearchFailed
from netlab.rfc.freshness import FRESHNESS, OPTIONS, TROUBLED
from netlab.rfc.names import parse_base
from netlab.rfc.places import DEFAULT_UPSTREAM, default_folder
from netlab.rfc.proxy.library import Library
from netlab.rfc.proxy.mirror import Mirror
from netlab.rfc.proxy.site import Site
from netlab.rfc.proxy.source import Source
from netlab.rfc.records import search_of
from netlab.rfc.search import Search

from .web import CACHE, HTTP, Backend, WebOptions, WebService, folder

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")


class RfcOptions(WebOptions):
    """Options of ``twistd netlab rfc``."""

    synopsis = "[options]"
    longdesc = (
        "Serves RFCs: as a proxy for the RFC Editor's and the IETF's hosts, as files, and as "
        "pages to read and search. Without --listen it takes port 8080 on this machine's own "
        "addresses only."
    )
    optFlags = [["offline", None, "never ask the upstream"]]
    optParameters = [
        ["upstream", "u", DEFAULT_UPSTREAM, "URL of the folder with rfcN.txt and the others"],
        ["mirror", "m", None, "folder with such files, which is looked into first"],
        ["cache", None, None, "folder of the cache [default: netlab/rfc in your cache folder]"],
        *HTTP,
        *CACHE,
    ]

    def __init__(self) -> None:
        super().__init__()
        self.hosts: list[str] = []

    def opt_host(self, name: str) -> None:
        """Another name under which this server is reached; may be given several times."""
        if not _HOST.fullmatch(name):
            said = "is no name of a host: write it without a scheme and a port, as rfcs.example.org"
            raise usage.UsageError(f"--host: '{escape(name, 80)}' {said}")
        self.hosts.append(name)

    def postOptions(self) -> None:
        """Checks the upstream and the folders, or says what is wrong."""
        super().postOptions()
        self.upstream = self.read("upstream", parse_base)
        self.folder = self.read("cache", folder)
        where: Path | None = self.read("mirror", folder)
        self.mirror = None if where is None else self.read("mirror", lambda _: Mirror(where))
        self.open_records()


def rfc_service(options: RfcOptions) -> WebService:
    """The service that ``options`` describe."""

    def make_handler() -> tuple[Site, Callable[[], Deferred[None]]]:
        shared = options.folder is None
        where = default_folder() if options.folder is None else options.folder
        backend = Backend(options, None if where is None else where / "http", shared=shared)
        if where is None:
            backend.only_memory("this user has no folder for caches; --cache names one")
        directory = None if backend.directory is None else backend.directory.parent
        try:
            search = _open_search(
                backend, directory, options.mirror, lambda number: library.stored_text(number)
            )
        except BaseException:
            backend.close()
            raise
        fetch = None if options["offline"] else backend.fetcher.fetch
        source = Source(options.upstream, fetch, options.mirror, reactor=backend.reactor)
        gateway = Gateway(
            backend.store,
            source.fetch,
            reactor=backend.reactor,
            options=OPTIONS,
            amend=source.amend,
            unsaid=frozenset({FRESHNESS}),
            fills=True,
            troubled=TROUBLED,
        )
        library = Library(
            gateway, backend.store, source, search, options.mirror, reactor=backend.reactor
        )
        library.start()

        def close() -> Deferred[None]:
            idle = library.stop()
            gateway.close()
            closed = backend.fetcher.close().addBoth(lambda _: idle)
            return closed.addBoth(lambda _: search.close()).addBoth(lambda _: backend.close())

        return Site(library, options.hosts, lambda: service.ports), close

    service = WebService("rfc", options, make_handler)
    return service


def _open_search(
    backend: Backend,
    directory: Path | None,
    mirror: Mirror | None,
    texts: Callable[[int], bytes | None],
) -> Search:
    """The search that the mirror has, if it has one; or else that in ``directory``.

    In memory if nobody asked for that folder, and it fails.
    """

    def opened(path: str | Path) -> Search:
        search = Search(path, texts)
        try:
            search.at_hand()  # a damaged file is found out now
        except SearchFailed as error:
            search.close()
            raise ConfigurationError(
                f"{error}; if it is damaged, delete it: it is made again"
            ) from None
        return search

    made = None if mirror is None else search_of(mirror.path)
    if made is not None and os.access(made, os.W_OK):
        try:
            return opened(made)
        except ConfigurationError as error:
            backend.tell(f"the search that comes with the mirror is not used: {error}")
    if directory is None:
        return opened(":memory:")
    try:
        return opened(directory / "search.sqlite")
    except ConfigurationError as error:
        if not backend.shared:
            raise
        backend.tell(f"what is searched is kept in memory only: {error}")
        return opened(":memory:")
