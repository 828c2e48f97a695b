"""The same for programs: ``/api/...`` in JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from netlab.http import Request, RequestError, Response
from netlab.rfc.database import SearchFailed
from netlab.rfc.entries import Entry
from netlab.rfc.names import Name, NotAName, Series, parse_name
from netlab.transport import Log

from .library import Library
from .views import LONGEST_QUERY, parameter

_MOST = 100
_FIELDS = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


class Api:
    """Answers ``/api/search?q=WORDS&start=N&limit=N``, ``/api/NAME`` and ``/api/status``."""

    log = Log()

    def __init__(self, library: Library) -> None:
        self._library = library

    async def handle(self, request: Request) -> Response:
        """The response to a request under ``/api/``; an error is ``{"error": ...}``."""
        what = request.path.removeprefix("/api/")
        if what == "status":
            return self._status()
        try:
            if what == "search":
                return await self._search(request)
            return await self._named(parse_name(what))
        except NotAName as wrong:
            return _json({"error": str(wrong)}, 404)
        except RequestError as wrong:
            return _json({"error": wrong.text}, wrong.status)
        except SearchFailed as failed:
            self.log.warn("{why}", why=str(failed))
            return _json({"error": "the search index cannot be read now"}, 503)

    async def _named(self, name: Name) -> Response:
        listings = self._library.listings
        await listings.ready()
        if not listings.known:
            return _json({"error": "there is no index yet"}, 503)
        if name.series is Series.RFC:
            entry = listings.index.entries.get(name.number)
            if entry is None:
                return _json({"error": f"nothing is known of {name}"}, 404)
            return _json(self._entry(entry))
        numbers = listings.index.documents(name)
        if not numbers:
            return _json({"error": f"{name} is no document at present"}, 404)
        return _json({"name": name.key, "documents": [self._brief(each) for each in numbers]})

    async def _search(self, request: Request) -> Response:
        query = parameter(request, "q")[:LONGEST_QUERY]
        limit = _whole(parameter(request, "limit", "20"), _MOST, "limit")
        start = _whole(parameter(request, "start", "0"), 1_000_000, "start")
        library = self._library
        await library.listings.ready()
        found = await library.find(query, limit, start)
        if not found.total and query.strip() and not library.listings.known:
            return _json({"error": "there is no index yet"}, 503)
        hits = [
            {
                **self._brief(hit.entry.number),
                "at_hand": hit.at_hand,
                "snippet": "".join(part.text for part in hit.snippet),
            }
            for hit in found.hits
        ]
        return _json(
            {
                "query": query,
                "total": found.total,
                "every": found.every,
                "start": start,
                "hits": hits,
            }
        )

    def _status(self) -> Response:
        index = self._library.listings.index
        return _json(
            {
                "documents": len(index.entries),
                "latest": index.latest if index.entries else None,
                "at_hand": self._library.known_texts,
                "offline": self._library.source.offline,
            }
        )

    def _entry(self, entry: Entry) -> dict[str, Any]:
        found: dict[str, Any] = {"name": entry.name.key, **msgspec.to_builtins(entry)}
        found["date"] = str(entry.date)
        for relation in ("see_also", "is_also"):
            found[relation] = [each.key for each in getattr(entry, relation)]
        found["errata"] = [
            {"id": each.id, "status": each.status, "kind": each.kind, "section": each.section}
            for each in self._library.listings.errata.get(entry.number, ())
        ]
        found["at_hand"] = self._library.has_text(entry.number)
        return found

    def _brief(self, number: int) -> dict[str, Any]:
        entry = self._library.entry(number)
        return {
            "name": entry.name.key,
            "number": number,
            "title": entry.title,
            "date": str(entry.date),
            "status": entry.status,
            "obsoleted_by": list(entry.obsoleted_by),
        }


def _whole(text: str, most: int, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= most):
        raise RequestError(400, f"{name} is a whole number up to {most}")
    return int(text)


def _json(value: Any, status: int = 200) -> Response:
    return Response(status, _FIELDS, msgspec.json.encode(value) + b"\n")
