"""The classic experiment: send 100 datagrams, and count what comes back.

Serve an echo that loses 30 of 100, then count:

    twistd -n netlab echo --impair "loss 30%" --seed 7
    python lossy_count.py 127.0.0.1 8007

Nothing but the standard library. Neither side is told of what is lost, so the
program numbers its datagrams, and decides how long it waits for them.
"""

from __future__ import annotations

import socket
import sys

COUNT = 100
PATIENCE = 0.5
"""Seconds of silence after which no more replies are expected."""


def send_all(sock: socket.socket) -> None:
    """Sends the datagrams. Each says its number: nothing else tells them apart."""
    for number in range(COUNT):
        sock.send(b"%d" % number)  # returns at once, and knows nothing of what follows


def receive_all(sock: socket.socket) -> list[int]:
    """The numbers that come back, in the order in which they come."""
    sock.settimeout(PATIENCE)  # without it recv() might wait for ever
    numbers: list[int] = []
    while len(set(numbers)) < COUNT:
        try:
            reply = sock.recv(65535)  # one datagram, whole
        except TimeoutError:
            break
        if reply.isdigit() and int(reply) < COUNT:  # anything may come
            numbers.append(int(reply))
    return numbers


def main(host: str, port: str) -> None:
    """Sends the datagrams to an echo, and prints what became of them."""
    family, kind, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as sock:
        # This sends nothing. The system only takes note of the address: send() needs
        # none from now on, and recv() takes no datagrams from anywhere else.
        sock.connect(address)
        send_all(sock)
        numbers = receive_all(sock)
    lost = sorted(set(range(COUNT)) - set(numbers))
    print(f"{COUNT} sent, {COUNT - len(lost)} came back, {len(lost)} lost")
    if lost:
        print("lost:", *lost)
    if len(numbers) > len(set(numbers)):
        print("more than once:", *sorted({each for each in numbers if numbers.count(each) > 1}))
    if numbers != sorted(numbers):
        print("the order is not that in which they were sent")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python lossy_count.py HOST PORT")
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError) as error:
        sys.exit(f"lossy_count: {error}")
