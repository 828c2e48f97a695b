"""Calls the api of ``test_interop`` with pygls; prints what came of it, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any

from pygls.client import JsonRPCClient
from pygls.exceptions import JsonRpcException


async def failing(call: Awaitable[Any]) -> JsonRpcException:
    """The error that a call ends with."""
    try:
        await call
    except JsonRpcException as error:
        return error
    raise AssertionError("it did not fail")


async def main(port: int) -> dict[str, Any]:
    client = JsonRPCClient()
    request, notify = client.protocol.send_request_async, client.protocol.notify
    items: list[int] = []
    progress: list[list[Any]] = []
    ended = asyncio.Event()
    client.feature("$/item")(lambda params: items.append(params.value))
    client.feature("$/end")(lambda params: ended.set())
    client.feature("$/progress")(lambda params: progress.append([params.token, params.value]))
    client.feature("double")(lambda params: 2 * params[0])
    await client.start_tcp("127.0.0.1", port)
    seen: dict[str, Any] = {
        "by position": await request("add", [1, 2]),
        "by name": await request("add", {"a": 1, "b": 2}),
        "text": await request("echo", ["Grüße 😀"]),
        "number as id": await request("add", [1, 2], msg_id=7),
    }
    refused = await failing(request("refuse"))
    seen["refused"] = [refused.code, refused.message, refused.data]
    seen["unknown"] = (await failing(request("nothing"))).code
    invalid = await failing(request("add", [1, "x"]))
    seen["invalid"] = [invalid.code, (invalid.data or {})["argument"]]

    order: list[str] = []
    waiting = request("wait", ["one"])
    waiting.add_done_callback(lambda answer: order.append(answer.result()))
    await request("add", [1, 2])
    order.append("add")
    await request("release", ["one"])
    await waiting
    seen["overtaken"] = order

    waiting = request("wait", ["two"], msg_id="two")
    notify("$/cancelRequest", {"id": "two"})
    seen["cancelled"] = (await failing(waiting)).code
    seen["still waiting"] = await request("waiting")

    await request("index", {"count": 2, "workDoneToken": "t"})
    seen["progress"] = progress
    await request("countdown", [3])
    await ended.wait()
    seen["items"] = items
    seen["asked"] = await request("ask", [21])
    notify("tell", ["hello"])
    seen["told"] = await request("told")
    assert client.protocol.writer is not None
    client.protocol.writer.close()
    await client.stop()
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1])))))
