"""Pages that take long to make: made once, and kept for as long as there is room."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import NamedTuple

from netlab.rfc.entries import Entry
from netlab.rfc.errata import REJECTED
from netlab.rfc.reader import reader_page
from netlab.rfc.text import read

from .library import Library
from .negotiation import compress
from .saying import encoded, tag_of
from .working import Once

_ROOM = 24 << 20  # bytes; the largest page has 4 million


class Page(NamedTuple):
    """A page as it is sent, its compressed variant, and its entity tag."""

    body: bytes
    compressed: bytes
    tag: str


class Rendered:
    """The pages on which RFCs are read, made by the threads of ``library``."""

    def __init__(self, library: Library, room: int = _ROOM) -> None:
        self._library = library
        self._left = room
        self._pages: OrderedDict[int, tuple[object, Page]] = OrderedDict()
        self._making = Once()

    async def page(self, number: int) -> Page:
        """The page of an RFC. Raises ``NotThere``, and ``RequestError`` if many want others."""
        library = self._library
        text = await library.text(number)
        entry = library.listings.index.entries.get(number)
        entry = None if entry is None else library.offered(entry)
        reports = library.listings.errata.get(number, ())
        errata = sum(each.status != REJECTED for each in reports)
        current = library.listings.index.successors(number)
        made_of = (number, blake2b(text, digest_size=16).digest(), entry, errata, current)
        found = self._pages.get(number)
        if found is not None and found[0] == made_of:
            self._pages.move_to_end(number)
            return found[1]

        async def make() -> Page:
            page = await library.threads.serve(_made, text, number, entry, errata, current)
            self._keep(number, made_of, page)
            return page

        # Not by the entry: to compare is enough, and it need not be hashed.
        return await self._making.run(made_of[:2], make)

    def _keep(self, number: int, made_of: object, page: Page) -> None:
        self._forget(number)
        self._pages[number] = made_of, page
        self._left -= _size(page)
        while self._left < 0:
            self._forget(next(iter(self._pages)))

    def _forget(self, number: int) -> None:
        found = self._pages.pop(number, None)
        if found is not None:
            self._left += _size(found[1])


def _size(page: Page) -> int:
    return len(page.body) + len(page.compressed)


def _made(
    text: bytes, number: int, entry: Entry | None, errata: int, current: tuple[int, ...]
) -> Page:
    body = encoded(reader_page(read(text, number), entry, errata, current))
    return Page(body, compress(body), tag_of(body))
