"""What an intermediary removes from a message and adds to it (RFC 9110, 7.6)."""

from __future__ import annotations

import re
from typing import NamedTuple

from netlab.errors import LocalProtocolError
from netlab.escaping import escape
from netlab.fields.collection import Fields
from netlab.fields.syntax import is_token, split_list

HOP_BY_HOP = frozenset(
    {
        *("connection", "proxy-connection", "close", "keep-alive"),
        *("te", "transfer-encoding", "upgrade"),
        # For the next proxy or from it only (11.7).
        *("proxy-authenticate", "proxy-authorization", "proxy-authentication-info"),
    }
)
"""Fields that are never forwarded, in lower case (RFC 9110, 7.6.1 and 11.7)."""

_RECEIVED_BY = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z\[\]:-]++")


def connection_options(fields: Fields) -> frozenset[str]:
    """What ``Connection`` lists, in lower case: ``close``, ``keep-alive``, names of fields."""
    value = fields.get("connection")
    return frozenset(split_list(value.lower())) if value else frozenset()


def end_to_end(fields: Fields) -> Fields:
    """The fields that may be forwarded: without the hop-by-hop ones and those in ``Connection``."""
    options = connection_options(fields)
    return fields.excluding(HOP_BY_HOP if options <= HOP_BY_HOP else HOP_BY_HOP | options)


class Hop(NamedTuple):
    """One member of ``Via``: an intermediary that forwarded the message."""

    version: str
    """The protocol as it was received: ``1.1``, or with its name ``HTCPCP/1.0``."""
    received_by: str
    """The host with its port, or a pseudonym."""


def parse_via(value: str) -> list[Hop]:
    """The intermediaries of ``Via`` (RFC 9110, 7.6.3), the first one first; comments are left out.

    A member that is malformed is left out.
    """
    found = []
    for member in split_list(_without_comments(value)):
        words = member.split()
        if len(words) == 2 and _RECEIVED_BY.fullmatch(words[1]):
            found.append(Hop(*words))
    return found


def _without_comments(value: str) -> str:
    """``value`` without what is in parentheses, which may hold commas and parentheses."""
    kept = []
    depth = 0
    escaped = False
    for character in value:
        if depth and escaped:
            escaped = False
        elif depth and character == "\\":
            escaped = True
        elif character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(character)
    return "".join(kept)


def add_via(fields: Fields, version: str, received_by: str) -> Fields:
    """The fields with one more member of ``Via``: this intermediary.

    ``version`` is the version of HTTP in which the message was received, as
    ``1.1``; ``received_by`` a host, with its port if need be, or a pseudonym.
    Raises ``LocalProtocolError`` if one of them cannot be written.
    """
    if not is_token(version.replace("/", "", 1)) or not _RECEIVED_BY.fullmatch(received_by):
        raise LocalProtocolError(
            f"'{escape(version, 20)} {escape(received_by, 60)}' is no member of Via: "
            "give a version such as 1.1 and a host name or a pseudonym"
        )
    return fields.adding(("Via", f"{version} {received_by}"))


def passed_through(fields: Fields, received_by: str) -> bool:
    """Whether ``Via`` says that the message was forwarded by ``received_by`` before: a loop."""
    value = fields.get("via")
    name = received_by.lower()
    return value is not None and any(hop.received_by.lower() == name for hop in parse_via(value))
