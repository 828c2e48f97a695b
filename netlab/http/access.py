"""Access logs: one entry for each response, and two ways to write it down."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from twisted.internet.interfaces import IAddress

from netlab.escaping import escape
from netlab.transport.addresses import ip_of

from .message import Request

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST = 2000
_PLAIN = re.compile(rf"[ !#-\[\]-~]{{0,{_LONGEST}}}")
"""What is written as it is."""


class Access(NamedTuple):
    """One response.

    peer      the client's address
    request   ``None`` when it could not be read
    status    of the response
    size      bytes of its body that were sent
    seconds   from the request's head to the last byte handed over for sending
    time      the end of that, in seconds since the epoch
    complete  whether all of it was; if not, the client went away, or an error came
    incident  the number of a 500 in the server's log, or ''
    """

    peer: IAddress
    request: Request | None
    status: int
    size: int
    seconds: float
    time: float
    complete: bool = True
    incident: str = ""


AccessLog = Callable[[Access], None]
"""Is called for each response. What it raises is logged, and does no harm."""


def combined(entry: Access) -> str:
    """``entry`` in the combined log format of Apache and nginx: one line, without its end.

    The time is in UTC. What the client sent is escaped: control characters, all that
    is not ASCII, quotes and backslashes.
    """
    request = entry.request
    line = referer = agent = "-"
    if request is not None:
        major, minor = request.version
        line = f"{_quoted(request.method)} {_quoted(request.target)} HTTP/{major}.{minor}"
        referer = _quoted(request.fields.get("referer") or "-")
        agent = _quoted(request.fields.get("user-agent") or "-")
    return (
        f"{_host(entry.peer)} - - [{_when(int(entry.time // 1))}] "
        f'"{line}" {entry.status} {entry.size or "-"} "{referer}" "{agent}"'
    )


@lru_cache(2)
def _when(time: int) -> str:
    """Once for all the lines of a second."""
    when = datetime.fromtimestamp(time, UTC)
    return f"{when:%d}/{_MONTHS[when.month - 1]}/{when:%Y:%H:%M:%S} +0000"


def json_line(entry: Access) -> str:
    """``entry`` as a JSON object on one line, in ASCII, without its end.

    ``time`` is in RFC 3339, ``seconds`` has six digits behind the point.
    """
    request = entry.request
    when = datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="milliseconds")
    values: dict[str, object] = {
        "time": when.replace("+00:00", "Z"),
        "peer": _host(entry.peer),
        "method": request and request.method[:_LONGEST],
        "target": request and request.target[:_LONGEST],
        "version": request and f"{request.version[0]}.{request.version[1]}",
        "authority": request and request.authority[:_LONGEST],
        "status": entry.status,
        "size": entry.size,
        "seconds": round(entry.seconds, 6),
        "complete": entry.complete,
        "referer": request and _short(request.fields.get("referer")),
        "user_agent": request and _short(request.fields.get("user-agent")),
    }
    if entry.incident:
        values["incident"] = entry.incident
    return json.dumps(values)


def _host(peer: IAddress) -> str:
    host, port = ip_of(peer)
    return host if port else "unix"


def _short(value: str | None) -> str | None:
    return value if value is None else value[:_LONGEST]


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return escape(text.encode("latin-1", "replace"), _LONGEST).replace('"', '\\"')
