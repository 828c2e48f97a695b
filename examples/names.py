"""A datagram service of one's own: names are looked up, as in DNS.

Serve it, then ask it:

    twistd -n netlab echo --app names:Names
    python names.py 127.0.0.1:8007 ada grace nobody

A question has 64 bytes: a number (4 bytes, random, of whoever asks), and the name in
UTF-8, filled up with zero bytes. An answer has the number of the question (4 bytes),
a letter (1 byte), and what the letter says:

    A    the address, as text
    U    nothing: the name is unknown
    S    nothing: the question is too short

Why is a question filled up? An answer must never be longer than its question, as
whoever asks may not be who it says it is: see docs/datagram_apps.md.
"""

from __future__ import annotations

import secrets
import sys

from netlab import DatagramApp, NetlabError
from netlab.blocking import DatagramClient
from netlab.datagram import Peer

SIZE = 64
"""Bytes of a question, and the most of an answer."""
NUMBER = 4
ADDRESS = b"A"
UNKNOWN = b"U"
TOO_SHORT = b"S"

ADDRESSES = {
    "ada": "192.0.2.1",
    "grace": "192.0.2.7",
    "edsger": "2001:db8::30",
}


class Names(DatagramApp):
    """The server: one object for everybody who asks. It remembers nothing of them."""

    def datagram_received(self, data: bytes, peer: Peer) -> bytes | None:
        """Answers a question."""
        number, name = data[:NUMBER], data[NUMBER:]
        if len(data) <= NUMBER:
            return None  # not even an error would fit
        if len(data) < SIZE:
            return number + TOO_SHORT
        # Anything may come, so nothing here may fail: what is no UTF-8 is no known name.
        address = ADDRESSES.get(name.rstrip(b"\0").decode(errors="replace"))
        return number + (UNKNOWN if address is None else ADDRESS + address.encode())


def question(name: str) -> bytes:
    """The question for ``name``. Raises ``ValueError`` when it is too long."""
    asked = secrets.token_bytes(NUMBER) + name.encode()
    if len(asked) > SIZE:
        raise ValueError(f"{name!r} has more than {SIZE - NUMBER} bytes")
    return asked.ljust(SIZE, b"\0")


def is_answer(asked: bytes, reply: bytes) -> bool:
    """Whether ``reply`` is the answer to ``asked``: it has the number, and is whole."""
    return len(reply) > NUMBER and reply[:NUMBER] == asked[:NUMBER]


def address(reply: bytes) -> str:
    """What an answer says, in words."""
    letter, text = reply[NUMBER : NUMBER + 1], reply[NUMBER + 1 :]
    if letter == ADDRESS:
        return text.decode(errors="replace")
    return "unknown" if letter == UNKNOWN else "the server does not understand the question"


def main(server: str, *names: str) -> None:
    """Asks ``server`` for each of ``names``, one after another."""
    with DatagramClient(server, timeout=0.2, retries=5, match=is_answer) as client:
        for name in names:
            print(f"{name}: {address(client.request(question(name)))}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python names.py SERVER NAME...")
    try:
        main(*sys.argv[1:])
    except (NetlabError, ValueError) as error:
        sys.exit(f"names: {error}")
