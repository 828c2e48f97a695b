"""Two sessions connected to each other, for tests."""

from __future__ import annotations

from typing import TypeVar

from netlab.api.jsonrpc import JSON, Codec, Event, Session, SessionLimits

E = TypeVar("E")


def connected(codec: Codec = JSON, limits: SessionLimits | None = None) -> tuple[Session, Session]:
    """A client and a server."""
    return Session(codec, limits), Session(codec, limits)


def carry(source: Session, target: Session) -> list[Event]:
    """Takes what one side has to say to the other; returns what that makes of it."""
    return [event for message in source.take() for event in target.receive(message)]


def only(events: list[Event], kind: type[E]) -> E:
    """The one event there is, which is a ``kind``."""
    (event,) = events
    assert isinstance(event, kind), event
    return event
