"""Conversations that a document shows: what a client sends, line by line, and what it receives."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from twisted.trial.unittest import TestCase

from ..examples.processes import DEADLINE


def messages(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Each message with its arrow. A line that is indented goes on with the message before."""
    found: list[tuple[str, str]] = []
    for line in lines:
        arrow, text = line[:4], line[4:]
        if arrow in ("--> ", "<-- "):
            found.append((arrow.strip(), text))
        else:
            assert line.startswith("     "), f"no arrow: {line}"
            arrow, before = found.pop()
            found.append((arrow, before + line.strip()))
    return found


def converse(case: TestCase, lines: Sequence[str], port: int, where: str) -> None:
    """Says all of it to a server of lines, on one connection.

    Nothing but what is shown comes back, in that order; ``...`` stands for anything.
    """
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
        received = sock.makefile("r", encoding="utf-8", newline="\n")
        for arrow, text in messages(lines):
            if arrow == "-->":
                sock.sendall(text.encode() + b"\n")
            else:
                said = received.readline()
                wanted = ".*".join(map(re.escape, text.split("..."))) + "\n"
                told = f"{where}: {text}\nreceived:\n{said}"
                case.assertTrue(re.fullmatch(wanted, said), told)
        sock.shutdown(socket.SHUT_WR)
        case.assertEqual(received.read(), "", where)
        received.close()
