"""What a 304 or the answer to a HEAD changes in stored responses (RFC 9111, 3.2 and 4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from netlab.cache.policy.conditions import entity_tag, modified_strongly
from netlab.cache.policy.entry import Entry
from netlab.cache.policy.freshness import date_of, last_modified
from netlab.cache.policy.messages import Options, Request, Response
from netlab.cache.policy.selecting import matching, selecting, vary_names
from netlab.cache.policy.storing import about_the_request, refusal, sets_one_cookie, stored_fields
from netlab.fields import Fields, end_to_end, parse_content_length, strongly_equal, weakly_equal

_NEVER_UPDATED = (
    *("content-length", "content-range"),  # of the message that came, not of what is stored
    "content-encoding",  # what is stored depends on it (3.2)
)
_COMPARED = frozenset({"etag", "last-modified", "content-length"})  # of a HEAD's answer (4.3.5)


class Keep(Enum):
    """What becomes of a stored response after an update."""

    NEW = "new"
    """The updated one takes its place."""
    OLD = "old"
    """It stays as it is: the update is for one request only."""
    NONE = "none"
    """It must be removed: the update says that it must not be stored."""


class Update(Struct, frozen=True):
    """A stored response, ``old``, and what it is after an update, ``new``."""

    old: Entry
    new: Entry
    keep: Keep


def freshened(
    request: Request,
    response: Response,
    variants: Iterable[Entry],
    *,
    validated: Entry | None,
    request_time: float,
    response_time: float,
    options: Options,
) -> list[Update]:
    """What a 304 changes (4.3.4); nothing, if it is about none of the stored responses.

    ``validated`` is the entry whose validators the request had. A 304 without
    any validator is about that one: it is the only one that it can be about.
    """
    return [
        _updated(request, response, entry, request_time, response_time, options)
        for entry in _identified(
            response.fields, matching(variants, request.fields), validated, response_time
        )
    ]


def _identified(
    fields: Fields, could_be: list[Entry], validated: Entry | None, response_time: float
) -> Sequence[Entry]:
    """Which of the stored responses a 304 is about (4.3.4)."""
    tag = entity_tag(fields)
    modified = last_modified(fields, response_time)
    if tag is None and modified is None:
        if validated is not None:
            return [entry for entry in could_be if entry == validated]
        return could_be if len(could_be) == 1 and not _validators(could_be[0]) else []

    def same(entry: Entry, *, strongly: bool) -> bool:
        own = entity_tag(entry.fields)
        if tag is not None and own is not None:
            return (strongly_equal if strongly else weakly_equal)(tag, own)
        if modified is None or modified != last_modified(entry.fields, entry.response_time):
            return False
        return modified_strongly(entry) or not strongly

    strong = [entry for entry in could_be if same(entry, strongly=True)]
    if strong or (tag is not None and not tag.weak):
        return strong
    weak = [entry for entry in could_be if same(entry, strongly=False)]
    return [max(weak, key=_recency)] if weak else []


def _validators(entry: Entry) -> bool:
    return (
        entity_tag(entry.fields) is not None
        or last_modified(entry.fields, entry.response_time) is not None
    )


def _recency(entry: Entry) -> tuple[float, float]:
    return date_of(entry.fields, entry.response_time), entry.response_time


def updated_by_head(
    request: Request,
    response: Response,
    variants: Iterable[Entry],
    *,
    request_time: float,
    response_time: float,
    options: Options,
) -> list[Update]:
    """What the 200 to a HEAD changes in the stored responses to GET (4.3.5).

    Those that it describes are updated; those that it contradicts are no longer
    right, and have to be validated before their next use. One that has a
    validator stays as it is when the answer has nothing to compare it with.
    """
    updates = []
    for entry in matching(variants, request.fields):
        if not _describes(response.fields, entry, response_time):
            updates.append(Update(entry, replace(entry, invalid=True), Keep.NEW))
        elif not (_COMPARED.isdisjoint(response.fields.names()) and _validators(entry)):
            updates.append(_updated(request, response, entry, request_time, response_time, options))
    return updates


def _describes(fields: Fields, entry: Entry, response_time: float) -> bool:
    """Whether no field of a HEAD's answer says that the stored response is another."""
    if entry.status != 200:
        return False
    tag, length = fields.get("etag"), fields.get("content-length")
    if tag is not None and tag != entry.fields.get("etag"):
        return False
    if length is not None and parse_content_length(length) != entry.body_size:
        return False
    if "last-modified" not in fields:
        return True
    modified = last_modified(fields, response_time)
    return modified is not None and modified == last_modified(entry.fields, entry.response_time)


def _updated(
    request: Request,
    response: Response,
    entry: Entry,
    request_time: float,
    response_time: float,
    options: Options,
) -> Update:
    """An entry with the fields of a newer response (3.2)."""
    # Their ages and dates are of the old response; the new one has its own.
    before = entry.fields.without("age", "date")
    news = end_to_end(response.fields).without(*_NEVER_UPDATED)
    merged = before.updated(news)
    if sets_one_cookie(merged, response_time, options):
        merged = merged.without("set-cookie")
    names = vary_names(merged)
    new = replace(
        entry,
        # The request has what selected the response before, and what it names from now on.
        selecting=selecting(names or (), request.fields),
        fields=stored_fields(merged, response_time, options),
        request_time=request_time,
        response_time=response_time,
        # Only a validation says that an entry is valid again.
        invalid=entry.invalid and request.method == "HEAD",
    )
    as_get = replace(request, method="GET")
    refused = refusal(
        as_get,
        Response(entry.status, merged, entry.reason),
        response_time=response_time,
        options=options,
    )
    if refused is None:
        return Update(entry, new, Keep.NEW)
    return Update(entry, new, Keep.OLD if about_the_request(refused) else Keep.NONE)
