"""What stands between a call and its method: logging, timing, leave to call.

An interceptor is an async callable of a ``Call`` and of ``next``, which goes on with it::

    async def polite(call: Call, next: Next) -> Any:
        if "please" not in call.named:
            raise RpcError(1, "say please")
        return await next(call)

It may change the call before, the result after, answer by itself, or raise. The first of
several is the outermost. On the server it sees arguments as the method will, converted and
checked; on a client, as the program gave them. The result of a subscription is its iterator
on the server; on a client it is to be handed on as it is. A coroutine that never waits costs
no turn of the reactor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal, TypeAlias

from twisted.internet.defer import CancelledError

from netlab.escaping import escape
from netlab.transport.addresses import address_text
from netlab.transport.log import Log

from .context import Context
from .jsonrpc.errors import Code, RpcError, error_of

_LOG = Log()


@dataclass(slots=True)
class Call:
    """One call, on its way.

    method   its name on the wire
    args     positional arguments
    named    named ones
    kind     whether an answer is awaited, or none, or items
    context  who calls, on the side that serves; ``None`` on the side that calls
    """

    method: str
    args: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    kind: Literal["call", "notification", "subscription"] = "call"
    context: Context | None = None


Next: TypeAlias = Callable[[Call], Awaitable[Any]]
"""The rest of the chain."""

Interceptor: TypeAlias = Callable[[Call, Next], Awaitable[Any]]
"""Takes a call and what comes next; returns the result."""


def chain(interceptors: Sequence[Interceptor], last: Next) -> Next:
    """``last`` behind all ``interceptors``; the first of them is called first."""
    for each in reversed(interceptors):
        last = _link(each, last)
    return last


def _link(interceptor: Interceptor, next: Next) -> Next:
    return lambda call: interceptor(call, next)


async def log_calls(call: Call, next: Next) -> Any:
    """Logs each call when it is over: its method, who called, how long it took, how it ended."""
    began = monotonic()
    outcome = "cancelled"
    try:
        result = await next(call)
        outcome = "done"
        return result
    except CancelledError:
        raise
    except RpcError as error:
        outcome = str(error)
        raise
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
        raise
    finally:
        peer = call.context.peer if call.context is not None else None
        _LOG.info(
            "{method} {peer}: {outcome} after {milliseconds:.1f} ms",
            method=call.method,
            peer=f"from {address_text(peer)}" if peer is not None else "to the server",
            outcome=escape(outcome, 400),
            milliseconds=(monotonic() - began) * 1000,
        )


@dataclass(slots=True)
class Timing:
    """Of one method: calls that ended, how many of them with an error, seconds in all and most."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    longest: float = 0.0


class Timings(dict[str, Timing]):
    """An interceptor that measures: a dict of ``Timing`` by method.

    A method that waits is measured until its answer. Only methods that exist come this
    far, so a peer cannot make it grow.
    """

    async def __call__(self, call: Call, next: Next) -> Any:
        """Measures one call."""
        timing = self.get(call.method)
        if timing is None:
            timing = self[call.method] = Timing()
        began = monotonic()
        try:
            return await next(call)
        except BaseException:
            timing.errors += 1
            raise
        finally:
            seconds = monotonic() - began
            timing.calls += 1
            timing.seconds += seconds
            timing.longest = max(timing.longest, seconds)


def allow(check: Callable[[Call], bool | Awaitable[bool]]) -> Interceptor:
    """An interceptor that lets a call pass if ``check`` says so; else the peer is told -32016.

    ::

        def known(call: Call) -> bool:
            return call.context.identity is not None or call.method == "login"

        serve(Calculator, "tcp:8032", interceptors=[allow(known)])
    """

    async def allowing(call: Call, next: Next) -> Any:
        verdict = check(call)
        if not isinstance(verdict, bool):
            verdict = await verdict
        if not verdict:
            raise error_of(Code.NOT_ALLOWED, call.method)
        return await next(call)

    return allowing
