"""Documents as files: what is sent of what the cache says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from netlab.http import Again, Answer, FileBody, Request, RequestError, Response
from netlab.http.sending import close_body
from netlab.rfc.names import FORMATS, Form, Listing, Name, Series

from .contents import gather
from .library import Library
from .negotiation import (
    WORTH_IT,
    Compressed,
    asking_for_whole,
    compress,
    compressible,
    knows_compressed,
    packed,
    renamed,
    takes_gzip,
)
from .saying import NOSNIFF, error
from .working import Once

_PASSED_ON = (
    *("if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"),
    *("range", "cache-control", "pragma", "via"),
)
"""What of a request is passed on: nothing else has a say in what the answer is."""
_SANDBOX = (
    # A document in HTML or XML is somebody else's page on our site: it shall do nothing here.
    "Content-Security-Policy",
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
)
_GATHERED = 4 << 20
"""Bytes of a document that are waited for before its first one is sent."""
_SAID = ("age", "via", "cache-status", "proxy-status", "retry-after")
"""What is said of a response of which nothing else is sent."""


class Files:
    """Answers requests for files in ``library``; ``again`` is told what may be sent again."""

    def __init__(self, library: Library, again: Again) -> None:
        self._library = library
        self._again = again
        self._compressed = Compressed()
        self._compressing = Once()

    def answer(self, request: Request, name: Name | Listing, vary: str = "") -> Answer:
        """The response to a request for a file; ``vary``: what had a say in the choice of it."""
        index = self._library.listings.index
        if isinstance(name, Name) and name.series is Series.RFC and name.number in index.not_issued:
            return self.missing(request, name, Response(404))
        fields = asking_for_whole(request.fields.only(*_PASSED_ON))
        reply = self._library.respond(name, fields, request.method)
        if not isinstance(reply, Response):
            return self._sent_later(request, name, reply, vary)
        answer = self._sent(request, name, reply, vary)
        if isinstance(answer, Response) and answer.status == 200:  # from the cache, at once
            return self._again.keep(request, answer)
        return answer

    async def _sent_later(
        self, request: Request, name: Name | Listing, reply: Awaitable[Response], vary: str
    ) -> Response:
        response = await reply
        if response.status == 200 and "content-length" not in response.fields:
            # What was compressed comes without its length; a program that only reads up to the
            # end of the connection would see chunks.
            try:
                await gather(response, _GATHERED)
            except RequestError as broken:
                return self.missing(request, name, Response(broken.status))
        answer = self._sent(request, name, response, vary)
        return answer if isinstance(answer, Response) else await answer

    def _sent(self, request: Request, name: Name | Listing, reply: Response, vary: str) -> Answer:
        """What a client gets of what the cache says."""
        if reply.status not in (200, 206, 304, 412, 416):
            return self._without_body(request, name, reply)
        if reply.status == 200 and request.method == "GET":
            self._notice(name, reply)
        more = [("Vary", f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"), NOSNIFF]
        if (reply.fields.get("content-type") or "").lower() != "application/pdf":
            more.append(_SANDBOX)  # in which no browser shows a PDF
        reply.fields = reply.fields.adding(*more)
        gzip = takes_gzip(request.fields)
        if reply.status == 304 and gzip and knows_compressed(request.fields):
            reply.fields = renamed(reply.fields)
        if not (gzip and reply.status == 200 and isinstance(reply.body, bytes)):
            return reply
        if len(reply.body) < WORTH_IT or not compressible(reply.fields):
            return reply
        variant = self._compressed.find(reply.body)
        if variant is not None:
            return packed(reply, variant)
        return self._compress(reply, reply.body)

    async def _compress(self, reply: Response, content: bytes) -> Response:
        threads = self._library.threads
        variant = await self._compressing.run(content, lambda: threads.serve(compress, content))
        self._compressed.keep(content, variant)
        return packed(reply, variant)

    def _notice(self, name: Name | Listing, reply: Response) -> None:
        """A text that has been stored, or will have been when all of it is sent, can be found."""
        if not isinstance(name, Name) or name.series is not Series.RFC:
            return
        number = name.number
        if not name.file_name.endswith(".txt") or self._library.has_text(number):
            return
        if isinstance(reply.body, bytes | FileBody):
            self._library.notice(number)
        elif reply.body is not None:
            reply.body = _Whole(reply.body, lambda: self._library.notice(number))

    async def _without_body(
        self, request: Request, name: Name | Listing, reply: Response
    ) -> Response:
        body = reply.body
        if isinstance(body, FileBody):
            body.close()
        elif body is not None and not isinstance(body, bytes):
            await close_body(body)
        return self.missing(request, name, reply)

    def missing(self, request: Request, name: Name | Listing, reply: Response) -> Response:
        """Why a document cannot be had, when ``reply`` is all that came; its body is not sent."""
        what = str(name)
        said = [(key, value) for key, value in reply.fields if key.lower() in _SAID]
        if reply.status in (404, 410):
            why = self._why_not(name) + self._members(name)
            return error(request, 404, f"No {what}", why, *said)
        if reply.status == 504 and self._library.source.offline:
            why = "this server is offline, and has it neither in its mirror nor in its cache"
            return error(request, 504, f"{what} is not here", why + self._members(name), *said)
        if reply.status == 504 and "proxy-status" not in reply.fields:
            return error(request, 504, f"{what} is not here", "it is not in the cache", *said)
        return error(
            request,
            reply.status if reply.status in (503, 504) else 502,
            f"{what} cannot be had now",
            "the upstream does not answer as it should, and the document is not in the cache",
            *said,
        )

    def _members(self, name: Name | Listing) -> str:
        """Of a sub-series, what else to ask for."""
        if isinstance(name, Listing) or name.series is Series.RFC:
            return ""
        numbers = self._library.listings.index.documents(name)
        names = [str(Name(Series.RFC, number)) for number in numbers]
        return f"; ask for what {name} is: {', '.join(names)}" if names else ""

    def _why_not(self, name: Name | Listing) -> str:
        if not isinstance(name, Name):
            return f"{name} is not at the upstream"
        if name.series is Series.RFC and name.number in self._library.listings.index.not_issued:
            return f"{name} was never issued"
        if name.form in FORMATS and name.form is not Form.TXT:
            return f"{name} is not there as {name.form}; its text is at {name.to(Form.TXT).link}"
        return f"{name} does not exist, or not yet"


class _Whole:
    """A body that calls ``whole`` when all of it was read."""

    def __init__(self, body: Any, whole: Callable[[], None]) -> None:
        self._body = body
        self._pieces = body.__aiter__()
        self._whole = whole

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece: bytes = await self._pieces.__anext__()
        except StopAsyncIteration:
            self._whole()
            raise
        return piece

    async def aclose(self) -> None:
        """Lets go of it."""
        await close_body(self._body)
