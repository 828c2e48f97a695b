"""What is wrong with a request, and the status that says so.

RequestError (RemoteProtocolError)   the request cannot be served: 400, or another 4xx or 5xx
|-- BodyTooLong                      its body is longer than allowed: 413
|-- BodyTimeout                      its body comes too slowly: 408
`-- BodyIncomplete                   the client ended in the middle of its body: 400
"""

from __future__ import annotations

from netlab.errors import RemoteProtocolError


class RequestError(RemoteProtocolError):
    """A request that is answered with an error: ``status`` and ``text``, a sentence for a person.

    netlab raises it for what breaks the rules of HTTP. A handler may raise it as well,
    then this is its answer. ``text`` is sent as it is: quote nothing in it that the
    client sent, unless escaped.
    """

    kind = "bad_request"

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(status, text)

    def __str__(self) -> str:
        return f"{self.status}: {self.text}"


class BodyTooLong(RequestError):
    """A request's body is longer than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(413, f"a body here may have {limit} bytes")
        self.args = (limit,)  # what a copy is made of


class BodyTimeout(RequestError):
    """A request's body came too slowly."""

    def __init__(self) -> None:
        super().__init__(408, "the request's body came too slowly")
        self.args = ()


class BodyIncomplete(RequestError):
    """The client ended in the middle of a request's body."""

    def __init__(self) -> None:
        super().__init__(400, "the connection ended before the request's body did")
        self.args = ()
