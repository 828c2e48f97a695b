"""Stop and wait: a file arrives intact over a network that loses and spoils datagrams.

Serve an echo that does its worst, and send a file through it:

    twistd -n netlab echo --impair "in loss 20% out corrupt 10% duplicate 10%" --seed 7
    python stop_and_wait.py 127.0.0.1 8007 FILE COPY

Both ends are in this program. All that they say to each other, data one way and
acknowledgements the other, goes through the echo: it stands for the network.

    Sender  -- data 3 -->  echo  -- data 3 -->  Receiver
    Sender  <-- ack 3 ---  echo  <-- ack 3 ---  Receiver

The rules are four, one against each thing that may happen:

    lost        what is not acknowledged in time is sent again
    twice       packets are numbered; what the receiver has it acknowledges, and drops
    late        so are acknowledgements; one of an earlier packet means nothing
    corrupted   a checksum; a packet that does not fit it counts as lost

A packet is, all numbers big-endian: a CRC-32 of all that follows (4 bytes), D
for data or A for an acknowledgement (1 byte), the number (4 bytes), and of data
up to 1000 bytes of the file. Data without any bytes is the end of the file.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
import zlib
from pathlib import Path

CHECKSUM = struct.Struct("!I")
HEAD = struct.Struct("!cI")
DATA = b"D"
ACK = b"A"
PIECE = 1000
"""Bytes of the file in a packet: with all headers less than Ethernet's 1500."""
TIMEOUT = 0.1
"""Seconds until a packet is sent again. More than a round trip takes, or all go twice."""
MOST_TRIES = 50

Packet = tuple[bytes, int, bytes]
"""The kind, the number, and the bytes of the file."""


def pack(kind: bytes, number: int, piece: bytes = b"") -> bytes:
    """A packet, with its checksum."""
    packet = HEAD.pack(kind, number) + piece
    return CHECKSUM.pack(zlib.crc32(packet)) + packet


def unpack(datagram: bytes) -> Packet | None:
    """What a packet says; ``None`` when it is not as it was sent, or is none of ours."""
    checksum, packet = datagram[: CHECKSUM.size], datagram[CHECKSUM.size :]
    if len(packet) < HEAD.size or checksum != CHECKSUM.pack(zlib.crc32(packet)):
        return None
    kind, number = HEAD.unpack_from(packet)
    return kind, number, packet[HEAD.size :]


class Sender:
    """Has one packet under way at a time, and goes on when that is acknowledged."""

    def __init__(self, content: bytes) -> None:
        self.pieces = [content[at : at + PIECE] for at in range(0, len(content), PIECE)] + [b""]
        self.number = 0

    @property
    def is_done(self) -> bool:
        """Whether the end of the file, too, has been acknowledged."""
        return self.number == len(self.pieces)

    def packet(self) -> bytes:
        """The packet to send: a new one, or the last one again."""
        return pack(DATA, self.number, self.pieces[self.number])

    def acknowledged(self, number: int) -> bool:
        """``number`` is acknowledged; whether that is news."""
        is_news = number == self.number and not self.is_done
        if is_news:
            self.number += 1
        return is_news


class Receiver:
    """Puts the pieces together."""

    def __init__(self) -> None:
        self.content = b""
        self.number = 0  # of the packet that is wanted
        self.duplicates = 0
        self.is_done = False

    def received(self, number: int, piece: bytes) -> bytes | None:
        """Takes a piece; returns the acknowledgement, if there is anything to acknowledge."""
        if number > self.number:
            return None  # cannot be: the sender has not heard that we have the one before
        if number == self.number:
            self.number += 1
            self.content += piece
            self.is_done = not piece
        else:
            self.duplicates += 1  # our acknowledgement was lost, or the network made two of one
        return pack(ACK, number)


def deliver(sock: socket.socket, sender: Sender, receiver: Receiver) -> tuple[int, int]:
    """Runs both ends until the sender is done.

    Returns how often a packet was sent again, and how many damaged ones came.
    Raises ``TimeoutError`` when nothing gets through.
    """
    again = damaged = tries = 0
    while not sender.is_done:
        if tries == MOST_TRIES:
            raise TimeoutError(f"packet {sender.number} was sent {tries} times in vain")
        again += tries > 0
        tries += 1
        sock.send(sender.packet())
        # A deadline, and not a time-out for each recv(): what is of no use must not prolong it.
        deadline = time.monotonic() + TIMEOUT
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                packet = unpack(sock.recv(65535))
            except TimeoutError:
                break
            if packet is None:
                damaged += 1
                continue
            kind, number, piece = packet
            if kind == DATA:
                answer = receiver.received(number, piece)
                if answer is not None:
                    sock.send(answer)
            elif kind == ACK and sender.acknowledged(number):
                tries = 0
                break
    return again, damaged


def main(host: str, port: str, file: str, copy: str) -> None:
    """Delivers ``file`` through the echo, and writes what arrived to ``copy``."""
    sender, receiver = Sender(Path(file).read_bytes()), Receiver()
    family, kind, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as sock:
        sock.connect(address)
        again, damaged = deliver(sock, sender, receiver)
    Path(copy).write_bytes(receiver.content)
    print(f"{len(receiver.content)} bytes have arrived, in {len(sender.pieces)} packets")
    print(f"{again} sent again, {damaged} damaged, {receiver.duplicates} came more than once")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: python stop_and_wait.py HOST PORT FILE COPY")
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as error:
        sys.exit(f"stop_and_wait: {error}")
