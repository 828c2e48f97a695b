"""Coroutines that never suspend, run; and errors that peers are told."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from netlab.api import RpcError
from netlab.api.rooms import Feed, Message

T = TypeVar("T")


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """What ``coroutine`` returns; it must not wait for anything."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise AssertionError("it waits")


def code_of(coroutine: Coroutine[Any, Any, Any]) -> int:
    """The code of the ``RpcError`` that ``coroutine`` raises."""
    try:
        result = now(coroutine)
    except RpcError as error:
        return error.code
    raise AssertionError(f"no error, but {result!r}")


def all_of(feed: Feed) -> list[Message]:
    """What can be taken now."""
    found = []
    while (message := feed.take()) is not None:
        found.append(message)
    return found
