"""Calls the calculator with nothing but the standard library: a socket and JSON.

    python calculator_socket.py localhost 8032

A message is one JSON object (JSON-RPC 2.0), and goes into a frame as in
``client_socket.py``. A call has an id, and its answer has the same one. What has no id
but a method is said unasked: here, the items of a subscription.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

from client_socket import receive_message, send_message


def send(sock: socket.socket, message: dict[str, Any]) -> None:
    """Sends one message."""
    send_message(sock, json.dumps({"jsonrpc": "2.0", **message}).encode())


def receive(sock: socket.socket) -> dict[str, Any]:
    """Waits for one message."""
    message: dict[str, Any] = json.loads(receive_message(sock))
    return message


def main(host: str, port: str) -> None:
    """Calls, is refused, and listens."""
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        send(sock, {"id": 1, "method": "add", "params": [1, 2]})  # by position
        send(sock, {"id": 2, "method": "divide", "params": {"a": 1, "b": 0}})  # by name
        for _ in range(2):  # in the order in which they are ready
            answer = receive(sock)
            if "error" in answer:
                print(answer["id"], "failed:", answer["error"]["message"])
            else:
                print(answer["id"], "gave", answer["result"])

        send(sock, {"id": 3, "method": "countdown", "params": [3]})
        print(receive(sock))  # the result is the number of the subscription
        while (message := receive(sock))["method"] != "$/end":
            print(message["params"]["value"])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python calculator_socket.py HOST PORT")
    try:
        main(*sys.argv[1:])
    except (OSError, EOFError, ValueError) as error:
        sys.exit(f"calculator_socket: {error}")
