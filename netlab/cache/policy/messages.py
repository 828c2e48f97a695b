"""What the policy is asked about: requests, responses, and the options of a cache."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import force_setattr

from netlab.errors import ConfigurationError
from netlab.fields import Fields, is_token

ERRORS = frozenset({500, 502, 503, 504})
"""The status codes in whose place a stale response may be sent (RFC 5861, 4)."""


class Request(Struct, frozen=True):
    """A request, its fields as they were received."""

    method: str
    uri: str
    """The target URI (RFC 9110, 7.1), absolute: ``http://example.org/a?b``."""
    fields: Fields
    content: bool = False
    """Whether the request has content. A GET with content has no defined meaning
    (RFC 9110, 9.3.1): it is never answered from the cache, nor is its answer stored."""


class Response(Struct, frozen=True):
    """The head of a response from the next hop, its fields as they were received."""

    status: int
    fields: Fields
    reason: str = ""


class Options(Struct, frozen=True, kw_only=True):
    """How a cache behaves where the RFCs leave a choice.

    - ``targets``: the targeted fields that are obeyed before ``Cache-Control``,
      first the one that counts most (RFC 9213, 2.2). A gateway that knows better
      than its origin can put a field of its own first, and add it to responses.
    - ``told``: the request fields that the gateway itself writes, for each client. A
      response that varies by one of them is stored for nobody (``Vary``, 4.1).
    - ``heuristic``: whether a response without explicit freshness is fresh for a
      tenth of its age when it came, at most a day (RFC 9111, 4.2.2).
    - ``stale_if_error``: for how many seconds a stale response may be sent in
      place of an error when the origin does not say (``stale-if-error``).
    - ``errors``: which status codes from the next hop are such errors; being out
      of reach always is one.

    Raises ``ConfigurationError`` for options that cannot work.
    """

    targets: tuple[str, ...] = ("cdn-cache-control",)
    told: frozenset[str] = frozenset()
    heuristic: bool = False
    stale_if_error: float = 0.0
    errors: frozenset[int] = ERRORS

    def __post_init__(self) -> None:
        for name in self.targets:
            if not is_token(name):
                raise ConfigurationError(f"targets: {name!r} is not the name of a field")
        force_setattr(self, "targets", tuple([name.lower() for name in self.targets]))
        force_setattr(self, "told", frozenset([name.lower() for name in self.told]))
        if not self.stale_if_error >= 0:
            raise ConfigurationError(
                f"stale_if_error must be 0 or more seconds, not {self.stale_if_error}"
            )
        for status in self.errors:
            if not 400 <= status <= 599:
                raise ConfigurationError(f"errors: {status} is no error: use codes from 400 to 599")


DEFAULTS = Options()
"""The options of a cache that does as the origin says and adds nothing."""
