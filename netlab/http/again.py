"""The same request again, within the same second: the same response again."""

from __future__ import annotations

import time
from collections.abc import Callable

from .body import EMPTY
from .message import Request, Response

_MOST = 1024
_LONGEST = 2048  # bytes of a target and of a header section; usual ones have fewer
_ROOM = 32 << 20


class Again:
    """Remembers responses for the rest of the second in which they were made.

    What a cache answers depends on the request and on the time, which it tells in whole
    seconds (``Age``). So for a second the answer to requests that are alike to the last
    byte is one that need not be found twice. For GET alone, and for bodies of bytes.

    clock  the time in seconds since the epoch
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._second = 0
        self._room = _ROOM
        self._found: dict[tuple[str, bytes], Response] = {}

    def find(self, request: Request) -> Response | None:
        """The response to ``request``, if the same was answered in this second."""
        if request.method != "GET" or request.body is not EMPTY or not self._found:
            return None
        if int(self._clock()) != self._second:
            self.forget()
            return None
        return self._found.get((request.target, request.raw_fields))

    def keep(self, request: Request, response: Response) -> Response:
        """Remembers ``response``, if it can be; returns what to answer with.

        To be called in the turn in which the response was made. It must be for anybody who
        sends the same: no other thing about the client may have had a part in it.
        """
        body = response.body
        fields = request.raw_fields
        if request.method != "GET" or request.body is not EMPTY or not isinstance(body, bytes):
            return response
        second = int(self._clock())
        if second != self._second:
            self.forget()
            self._second = second
        room = self._room - len(body) - len(fields)
        if room < 0 or len(self._found) >= _MOST:
            return response
        if len(fields) > _LONGEST or len(request.target) > _LONGEST:
            return response
        self._room = room
        prepared = Response.prepared(response.status, response.fields, body)
        self._found[request.target, fields] = prepared
        return prepared

    def forget(self) -> None:
        """What was answered so far may be different now."""
        self._found.clear()
        self._room = _ROOM
