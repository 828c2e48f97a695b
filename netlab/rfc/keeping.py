"""A cache for a program that waits: what is stored, or else what the upstream answers.

It keeps what the cache of ``twistd netlab rfc`` keeps, in the same folder and by the same
rules; but nothing is brought up to date in the background, where a program has none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from netlab.cache.policy import (
    Entry,
    Forward,
    Outcome,
    Request,
    Response,
    Revalidate,
    Serve,
    Unavailable,
    cache_key,
    decide,
    filling_fields,
    instead_of_error,
    is_error,
    receive,
)
from netlab.cache.store import Store, StoreFailed
from netlab.errors import LocalProtocolError
from netlab.escaping import escape
from netlab.fields import Fields, format_date
from netlab.rfc.answers import Reply
from netlab.rfc.asking import Asker, OutOfReach
from netlab.rfc.freshness import OPTIONS, amended

_CACHED = Fields([("Cache-Control", "only-if-cached, max-stale")])
_TRIES = 3  # entries whose content turns out to be damaged


class NotAtHand(OutOfReach):
    """It is not in the cache, and nobody may be asked."""

    kind = "not_at_hand"


class Kept(NamedTuple):
    """What was asked for; ``status`` is 200, or says that there is none (404)."""

    status: int
    content: bytes
    since: float
    """When the upstream was last known to say so, in seconds since the epoch."""
    came: bool = False
    """Whether the content came from the upstream just now."""
    excuse: str = ""
    """Why it is out of date, if the upstream was asked and gave nothing better."""


class Keeping:
    """Gets what ``asker`` can ask for, and keeps it in ``store``.

    Without an ``asker`` it is offline, and so it is in effect when that has failed once.
    ``clock`` tells the time in seconds since the epoch.
    Whoever opened the store closes it, and the asker.
    """

    def __init__(
        self, store: Store, asker: Asker | None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._asker = asker
        self._clock = clock
        self._down: OutOfReach | None = None  # what failed once is not waited for again

    def get(self, uri: str) -> Kept:
        """What is at ``uri``. Raises ``OutOfReach``; ``NotAtHand`` if that is for being offline."""
        request = Request("GET", uri, _CACHED if self._asker is None else Fields())
        for _ in range(_TRIES):
            verdict = decide(request, self._variants(uri), self._clock(), OPTIONS)
            if not isinstance(verdict, Serve):
                break
            kept = self._stored(verdict.entry)
            if kept is None:
                continue  # it was damaged, and is gone
            if verdict.background is None or self._asker is None:
                return kept
            # It may be served while it is brought up to date: here that comes first.
            return self._forward(request, verdict.background, kept)
        else:
            raise OutOfReach("the cache is damaged again and again: is the disk failing?")
        if isinstance(verdict, Unavailable):
            raise NotAtHand("it is not in the cache")
        return self._forward(request, verdict, None)

    def stored(self, uri: str) -> bytes | None:
        """What is stored for ``uri``, however old; ``None`` if nothing is."""
        for entry in self._variants(uri):
            if entry.status == 200:
                return self._content(entry)
        return None

    def _forward(self, request: Request, verdict: Forward | Revalidate, old: Kept | None) -> Kept:
        assert self._asker is not None
        if self._down is not None:
            return self._instead(verdict, old, self._down)
        sent_at = self._clock()
        try:
            reply = self._asker.ask(request.uri, verdict.fields)
        except OutOfReach as error:
            self._down = error
            return self._instead(verdict, old, error)
        if is_error(reply.status, OPTIONS):
            host = escape(urlsplit(request.uri).netloc, 80)
            said = escape(f"{reply.status} {reply.reason}".strip(), 60)
            return self._instead(verdict, old, OutOfReach(f"{host} answers {said}"))
        outcome = receive(
            request,
            self._response(request, reply),
            self._variants(request.uri),
            request_time=sent_at,
            response_time=self._clock(),
            validated=verdict.entry if isinstance(verdict, Revalidate) else None,
            options=OPTIONS,
        )
        self._keep(outcome, reply.content)
        if outcome.serve is not None:
            kept = self._stored(outcome.serve)
            if kept is not None:
                return kept
        if outcome.again or reply.status == 304:
            if isinstance(verdict, Forward):
                raise OutOfReach("the upstream answers 304 to what was no such question")
            again = Forward(verdict.reason, filling_fields(verdict.fields), verdict.entry)
            return self._forward(
                request, replace(again, fallback_until=verdict.fallback_until), old
            )
        return Kept(reply.status, reply.content, self._clock(), came=True)

    def _instead(self, verdict: Forward | Revalidate, old: Kept | None, error: OutOfReach) -> Kept:
        """What is stored, for what did not come."""
        if old is None:
            found = instead_of_error(verdict, self._clock(), OPTIONS)
            old = None if found is None else self._stored(found.entry)
        if old is None:
            raise error
        return old._replace(excuse=str(error))

    def _response(self, request: Request, reply: Reply) -> Response:
        fields = reply.fields
        if "date" not in fields:
            fields = fields.adding(("Date", format_date(self._clock())))
        return amended(request, Response(reply.status, fields, reply.reason))

    # -- the store

    def _variants(self, uri: str) -> tuple[Entry, ...]:
        return self._store.entries(cache_key(uri))

    def _keep(self, outcome: Outcome, content: bytes) -> None:
        for old, new in outcome.updates:
            self._store.update(old, new)
        if outcome.new is not None:
            try:
                with closing(self._store.begin()) as writing:
                    writing.write(content)
                    writing.commit(outcome.new)
            except (StoreFailed, LocalProtocolError):
                pass  # no room: it is shown all the same
        for entry in outcome.remove:
            self._store.remove(entry)

    def _stored(self, entry: Entry) -> Kept | None:
        content = self._content(entry)
        return None if content is None else Kept(entry.status, content, entry.response_time)

    def _content(self, entry: Entry) -> bytes | None:
        """The content of an entry; ``None`` if it is gone, as the entry is then, too."""
        try:
            content = self._store.content(entry)
            descriptor = self._store.open(entry) if content is None else None
            if descriptor is None:
                return content
            with os.fdopen(descriptor, "rb") as file:
                return file.read()
        except (StoreFailed, OSError) as error:
            raise OutOfReach(f"the cache cannot be read: {error}") from error
