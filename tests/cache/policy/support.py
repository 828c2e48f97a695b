"""Messages for the tests, and a gateway without any network that does as the policy says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from netlab.cache.policy import (
    DEFAULTS,
    Answer,
    Entry,
    Forward,
    Options,
    Outcome,
    Request,
    Response,
    Revalidate,
    Serve,
    Unavailable,
    Verdict,
    answer,
    cache_key,
    completed,
    decide,
    filling_fields,
    from_json,
    instead_of_error,
    is_error,
    receive,
    to_json,
)
from netlab.fields import Fields, end_to_end, format_date

NOW = 1_000_000_000.0
URI = "http://example.org/a"
Pairs = Iterable[tuple[str, str]]


def get(*pairs: tuple[str, str], uri: str = URI, method: str = "GET") -> Request:
    """A request with these fields."""
    return Request(method, uri, Fields(pairs))


def head(*pairs: tuple[str, str], uri: str = URI) -> Request:
    return get(*pairs, uri=uri, method="HEAD")


def ok(*pairs: tuple[str, str], status: int = 200, date: float | None = NOW) -> Response:
    """A response with these fields, and a Date unless there is one already."""
    fields = Fields(pairs)
    if date is not None and "date" not in fields:
        fields = Fields([("Date", format_date(date))]).updated(fields)
    return Response(status, fields, "Whatever")


def control(value: str) -> tuple[str, str]:
    return "Cache-Control", value


def ago(seconds: float) -> str:
    """The HTTP date so many seconds before ``NOW``."""
    return format_date(NOW - seconds)


def stored(
    *pairs: tuple[str, str],
    request: Request | None = None,
    status: int = 200,
    at: float = NOW,
    content: bytes = b"0123456789",
    options: Options = DEFAULTS,
) -> Entry:
    """The entry of a response that came without delay at ``at``; it must be one that is stored."""
    outcome = receive(
        request or get(),
        ok(*pairs, status=status, date=at),
        (),
        request_time=at,
        response_time=at,
        options=options,
    )
    assert outcome.new is not None, outcome.refused
    return completed(outcome.new, hashlib.sha256(content).hexdigest(), len(content))


class Reply(Struct):
    """What a client of the gateway gets."""

    status: int
    fields: Fields
    content: bytes
    verdict: Verdict
    outcome: Outcome | None = None

    @property
    def hit(self) -> bool:
        return isinstance(self.verdict, Serve)


class Next(Struct):
    """What the origin answers next."""

    response: Response
    content: bytes = b"0123456789"
    delay: float = 0.0


class Gateway:
    """A cache in front of an origin that says what it is told to; it keeps entries as JSON.

    ``now`` is its clock, ``sent`` the requests that went forward, ``out_of_reach``
    whether there is an answer. ``origin`` makes it; else it is what
    ``will_answer`` has put down.
    """

    def __init__(
        self, options: Options = DEFAULTS, origin: Callable[[Request], Next] | None = None
    ) -> None:
        self.options = options
        self.origin = origin or (lambda request: self.next.pop(0))
        self.now = NOW
        self.sent: list[Request] = []
        self.next: list[Next] = []
        self.out_of_reach = False
        self._index: dict[str, list[bytes]] = {}
        self._contents: dict[str, bytes] = {}

    def entries(self, uri: str = URI) -> list[Entry]:
        return [from_json(data) for data in self._index.get(cache_key(uri), ())]

    def will_answer(self, *pairs: tuple[str, str], status: int = 200, content: bytes = b"") -> None:
        """Put one more response into the origin's mouth, with a Date of when it is sent."""
        self.next.append(Next(Response(status, Fields(pairs), "Whatever"), content))

    def ask(self, request: Request) -> Reply:
        """One request of a client."""
        entries = self.entries(request.uri)
        verdict = decide(request, entries, self.now, self.options)
        if isinstance(verdict, Unavailable):
            return Reply(504, Fields(), b"", verdict)
        if isinstance(verdict, Serve):
            reply = self._reply(request, verdict.entry, verdict, age=verdict.age)
            if verdict.background is not None:
                self._forward(replace(request, method="GET"), verdict.background)
            return reply
        return self._forward(request, verdict)

    def _forward(self, request: Request, verdict: Forward | Revalidate) -> Reply:
        sent_at = self.now
        self.sent.append(replace(request, fields=verdict.fields))
        came = None if self.out_of_reach else self.origin(self.sent[-1])
        if came is not None:
            self.now += came.delay
        if came is None or is_error(came.response.status, self.options):
            instead = instead_of_error(verdict, self.now, self.options)
            if instead is not None:
                return self._reply(request, instead.entry, verdict, age=instead.age)
            if came is None:
                return Reply(504, Fields(), b"", verdict)
        response = came.response
        if "date" not in response.fields:
            dated = response.fields.adding(("Date", format_date(self.now)))
            response = replace(response, fields=dated)
        outcome = receive(
            request,
            response,
            self.entries(request.uri),
            request_time=sent_at,
            response_time=self.now,
            validated=verdict.entry if isinstance(verdict, Revalidate) else None,
            options=self.options,
        )
        self._keep(cache_key(request.uri), outcome, came.content)
        if outcome.again:
            again = Forward(verdict.reason, filling_fields(verdict.fields))
            return self._forward(request, again)
        if outcome.serve is not None:
            return self._reply(request, outcome.serve, verdict, age=None, outcome=outcome)
        if isinstance(verdict, Revalidate) and outcome.new is not None:
            new = completed(outcome.new, _digest(came.content), len(came.content))
            return self._reply(request, new, verdict, age=None, outcome=outcome)
        return Reply(response.status, end_to_end(response.fields), came.content, verdict, outcome)

    def _keep(self, key: str, outcome: Outcome, content: bytes) -> None:
        entries = self.entries(key)
        for old, new in outcome.updates:
            entries[entries.index(old)] = new
        for old in outcome.remove:
            entries.remove(old)
        if outcome.new is not None:
            entries.append(completed(outcome.new, _digest(content), len(content)))
            self._contents[_digest(content)] = content
        self._index[key] = [to_json(entry) for entry in entries]
        for invalid in outcome.invalidate:
            self._index.pop(invalid, None)

    def _reply(
        self,
        request: Request,
        entry: Entry,
        verdict: Verdict,
        *,
        age: float | None,
        outcome: Outcome | None = None,
    ) -> Reply:
        made: Answer = answer(request, entry, self.now, age=age)
        content = self._contents.get(entry.body_digest, b"")[made.start : made.stop]
        return Reply(made.status, made.fields, content, verdict, outcome)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
