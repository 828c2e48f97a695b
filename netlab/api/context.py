"""What a method may know of the call it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Context:
    """Of one call: ask for it with an argument annotated ``Context``; the peer does not give it.

    ::

        @method
        def whoami(self, ctx: Context) -> str:
            return str(ctx.peer)

    method    the name of the method that is called
    peer      the address of the other end, as Twisted knows addresses
    identity  who the peer's certificate says it is; ``None`` without one
    state     a dict of this connection's own, the same in all of its calls: interceptors
              and methods keep there what they learn
    remote    calls the caller, who may serve an api too: ``await ctx.remote.call("name")``
    """

    __slots__ = ("_report", "identity", "method", "peer", "remote", "state")

    def __init__(
        self,
        *,
        method: str,
        peer: Any = None,
        identity: Any = None,
        state: dict[str, Any] | None = None,
        report: Callable[[Any], None] | None = None,
        remote: Any = None,
    ) -> None:
        self.method = method
        self.peer = peer
        self.identity = identity
        self.state: dict[str, Any] = {} if state is None else state
        self.remote = remote
        self._report = report

    def progress(self, value: Any) -> None:
        """Tells the peer how far the call is; nothing is sent unless it asked for that."""
        if self._report is not None:
            self._report(value)
