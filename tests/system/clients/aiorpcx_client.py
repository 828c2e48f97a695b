"""Calls the api of ``test_interop`` with aiorpcX; prints what came of it, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiorpcx import (  # type: ignore[import-untyped]
    JSONRPCConnection,
    JSONRPCv2,
    Notification,
    RPCError,
    RPCSession,
    connect_rs,
)


class Session(RPCSession):  # type: ignore[misc]
    def __init__(self, transport: Any) -> None:
        super().__init__(transport, connection=JSONRPCConnection(JSONRPCv2))
        self.items: list[int] = []
        self.ended = asyncio.Event()

    async def handle_request(self, request: Any) -> Any:
        if not isinstance(request, Notification):
            return 2 * request.args[0]
        if request.method == "$/item":
            self.items.append(request.args["value"])
        else:
            self.ended.set()
        return None


async def failing(session: Session, method: str) -> list[Any]:
    """The error that a call ends with."""
    try:
        await session.send_request(method)
    except RPCError as error:
        return [error.code, error.message]
    raise AssertionError("it did not fail")


async def main(port: int) -> dict[str, Any]:
    async with connect_rs("127.0.0.1", port, session_factory=Session) as session:
        request = session.send_request
        seen: dict[str, Any] = {
            "by position": await request("add", [1, 2]),
            "by name": await request("add", {"a": 1, "b": 2}),
            "text": await request("echo", ["Grüße 😀"]),
            "refused": await failing(session, "refuse"),
            "unknown": (await failing(session, "nothing"))[0],
        }
        async with session.send_batch() as batch:
            batch.add_request("add", [1, 2])
            batch.add_notification("tell", ["hello"])
            batch.add_request("nothing")
        results = [each.code if isinstance(each, RPCError) else each for each in batch.results]
        seen["batch"] = results

        order: list[str] = []
        waiting = asyncio.ensure_future(request("wait", ["one"]))
        waiting.add_done_callback(lambda answer: order.append(answer.result()))
        await asyncio.sleep(0)  # so that it is sent first
        await request("add", [1, 2])
        order.append("add")
        await request("release", ["one"])
        await waiting
        seen["overtaken"] = order

        await request("countdown", [3])
        await session.ended.wait()
        seen["items"] = session.items
        seen["asked"] = await request("ask", [21])
        seen["told"] = await request("told")
        return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1])))))
