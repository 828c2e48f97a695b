"""Conversations that a document shows: what a client sends, line by line, and what it receives."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

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

    What is sent without waiting goes at once, so that no busy machine comes between.
    Nothing but what is shown comes back, in that order; ``...`` stands for anything.
    """
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
        received = sock.makefile("r", encoding="utf-8", newline="\n")
        for arrow, group in groupby(messages(lines), itemgetter(0)):
            texts = [text for _, text in group]
            if arrow == "-->":
                sock.sendall("".join(f"{each}\n" for each in texts).encode())
                continue
            for text in texts:
                said = received.readline()
                wanted = ".*".join(map(re.escape, text.split("..."))) + "\n"
                told = f"{where}: {text}\nreceived:\n{said}"
                case.assertTrue(re.fullmatch(wanted, said), told)
        sock.shutdown(socket.SHUT_WR)
        case.assertEqual(received.read(), "", where)
        received.close()
