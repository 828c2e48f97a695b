"""A program that takes texts into a part of a search: see ``netlab.rfc.indexing``.

    python -m netlab.rfc.indexer PART FOLDER

The numbers of the texts come on standard input, one in a line, and it ends when that does.
What fails is said in one line on standard error, and the exit status is 1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from netlab.errors import NetlabError
from netlab.rfc.bodies import Bodies, Text, text_of
from netlab.rfc.texts import read_text

_MOST = 500  # texts that are taken in at once


def main(part: str, folder: str) -> str | None:
    """Takes in what comes; returns why not, for ``sys.exit``."""
    try:
        with closing(Bodies(part)) as bodies:
            for numbers in _coming(0):
                bodies.add(_texts(Path(folder), numbers))
    except NetlabError as error:
        return str(error)
    return None


def _coming(descriptor: int) -> Iterator[list[int]]:
    """The numbers that are there by then, or the first that come."""
    rest = b""
    while data := os.read(descriptor, 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for at in range(0, len(lines), _MOST):
            yield [int(line) for line in lines[at : at + _MOST]]


def _texts(folder: Path, numbers: Iterable[int]) -> Iterator[Text]:
    for number in numbers:
        data = read_text(folder / f"rfc{number}.txt")
        if data is not None:
            yield text_of(number, data)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
