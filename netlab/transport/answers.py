"""What a handler returns: bytes, nothing, or something to wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from types import CoroutineType, coroutine
from typing import Any

from twisted.internet.defer import Deferred


def begin(result: Any) -> Any:
    """The value of ``result`` if it is there already, else a ``Deferred`` of it.

    A coroutine is driven to its first pause. One that never pauses costs no
    more than a function: no Deferred is made and nothing is scheduled. What
    the coroutine raises before its first pause is raised here.
    """
    if isinstance(result, CoroutineType):
        try:
            waits_for = result.send(None)
        except StopIteration as stop:
            return stop.value
        return Deferred.fromCoroutine(_resume(result, waits_for))
    if isinstance(result, Awaitable) and not isinstance(result, Deferred):
        return begin(_wait_for(result))
    return result


def discard(result: Any) -> None:
    """Lets go of a result that nobody will wait for."""
    if isinstance(result, CoroutineType):
        result.close()
    elif isinstance(result, Deferred):
        result.addErrback(lambda failure: None)
        result.cancel()


def message_of(value: Any) -> bytes:
    """``value`` as a message to send; raises ``TypeError`` when it is none."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(
            f"a handler returned {type(value).__name__}: return bytes, None, "
            "or an awaitable of either"
        )
    return bytes(value)


@coroutine
def _resume(handler: CoroutineType[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Goes on with a coroutine that was already driven to its first pause."""
    step: Callable[[], Any]
    while True:
        try:
            value = yield waits_for
        except GeneratorExit:  # nobody waits any more; the handler may have been closed before
            handler.close()
            raise
        except BaseException as error:
            step = partial(handler.throw, error)
        else:
            step = partial(handler.send, value)
        try:
            waits_for = step()
        except StopIteration as stop:
            return stop.value


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
