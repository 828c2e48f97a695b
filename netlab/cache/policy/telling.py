"""Cache-Status: what a cache did with a request (RFC 9211)."""

from __future__ import annotations

from functools import lru_cache
from math import floor

from msgspec import Struct

from netlab.cache.policy.deciding import Forward, Reason, Revalidate, Serve
from netlab.fields import Fields, Item, serialize_list
from netlab.fields.structured import BareItem, printable, text_or_token

_LONGEST = 10**15 - 1  # an Integer of a structured field (RFC 8941, 3.3.1)


class CacheStatus(Struct, frozen=True, kw_only=True):
    """One member of ``Cache-Status``; as a ``str`` it is as on the wire.

    >>> str(CacheStatus(cache="netlab", hit=True, ttl=376.5))
    'netlab;hit;ttl=376'
    >>> str(CacheStatus(cache="netlab", fwd=Reason.STALE, fwd_status=304))
    'netlab;fwd=stale;fwd-status=304'

    It is added to what comes from the cache or through it, and not to a
    response that the gateway makes up, as a 504 for ``Unavailable`` (2).
    ``Warning`` is never sent: it is gone (RFC 9111, 5.5).
    """

    cache: str
    """The name of this cache."""
    hit: bool = False
    fwd: Reason | None = None
    """Why the request went forward. Either this or ``hit``."""
    fwd_status: int | None = None
    """The next hop's status code, where the client gets another one."""
    ttl: float | None = None
    """For how many seconds the response is still fresh; negative when it is stale."""
    stored: bool = False
    collapsed: bool | None = None
    """Whether the request shared the answer to another one; ``False``: it could not."""
    key: str | None = None
    """It tells a client how responses are told apart; leave it out for strangers (6)."""
    detail: str | None = None
    """One more word, as ``Refusal`` has."""

    def __str__(self) -> str:
        parts = [_name(self.cache)]
        if self.hit:
            parts.append("hit")
        if self.fwd is not None:
            parts.append(f"fwd={self.fwd.value}")
            if self.fwd_status is not None:
                parts.append(f"fwd-status={self.fwd_status}")
        if self.ttl is not None:
            parts.append(f"ttl={max(-_LONGEST, min(floor(self.ttl), _LONGEST))}")
        if self.fwd is not None:
            if self.stored:
                parts.append("stored")
            if self.collapsed is not None:
                parts.append("collapsed" if self.collapsed else "collapsed=?0")
        if self.key is not None:
            parts.append(f"key={_item(printable(self.key))}")
        if self.detail is not None:
            parts.append(f"detail={_item(text_or_token(self.detail))}")
        return ";".join(parts)


def status_of(cache: str, verdict: Serve | Revalidate | Forward) -> CacheStatus:
    """What to say of a verdict; ``msgspec.structs.replace`` fills in what comes of it."""
    if isinstance(verdict, Serve):
        return CacheStatus(cache=cache, hit=True, ttl=verdict.ttl)
    return CacheStatus(cache=cache, fwd=verdict.reason)


def add_cache_status(fields: Fields, status: CacheStatus) -> Fields:
    """The fields with one more member of ``Cache-Status``, behind those of other caches."""
    return fields.adding(("Cache-Status", str(status)))


def _item(value: BareItem) -> str:
    return serialize_list([Item(value)])


@lru_cache(16)
def _name(name: str) -> str:
    return _item(text_or_token(name))
