"""Many hostile peers at once, in a process of their own: ``attackers.py PORT CPU SLOW``.

``SLOW`` peers send half a frame and nothing more, one sends and never reads, one
sends empty messages without end, one sends noise, again and again. Says ``ready``
when all are there, and from then on how much it has done, a line at a time:
bytes of empty messages answered, connections with noise.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import sys
import threading
import time


def connect(port: int) -> socket.socket:
    """A connection to the server."""
    return socket.create_connection(("127.0.0.1", port), timeout=30)


class Flood(threading.Thread):
    """Empty messages as fast as their answers are read."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.sock = connect(port)
        self.answered = 0

    def run(self) -> None:
        self.sock.setblocking(False)
        zeros = bytes(65536)
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while True:
                for _key, events in selector.select():
                    if events & selectors.EVENT_READ:
                        self.answered += len(self.sock.recv(1 << 20))
                    if events & selectors.EVENT_WRITE:
                        self.sock.send(zeros)


class Noise(threading.Thread):
    """Random bytes, on one connection after the other."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.count = 0

    def run(self) -> None:
        rng = random.Random(8032)
        while True:
            with connect(self.port) as sock:
                try:
                    sock.sendall(b"\xee" + rng.randbytes(2000))
                    while sock.recv(65536):
                        pass
                except ConnectionError:
                    pass  # that is how it often ends
            self.count += 1


def main(port: int, cpu: int, slow: int) -> None:
    """Attacks until it is killed."""
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})
    os.nice(19)  # an honest client may share the processor
    crowd = []
    for number in range(slow):
        crowd.append(connect(port))
        if number % 2:
            crowd[-1].sendall(b"\0\0\0\x10half a")
        if number % 20 == 0:
            time.sleep(0.01)  # or the queue of the listener overflows, which costs a second
    deaf = connect(port)
    deaf.setblocking(False)
    try:
        while True:
            deaf.send(b"\0\0\x40\0" + bytes(16384))
    except BlockingIOError:
        pass  # all buffers are full for now
    flood, noise = Flood(port), Noise(port)
    flood.start()
    noise.start()
    print("ready", flush=True)
    while True:
        time.sleep(0.1)
        print(flood.answered, noise.count, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
