"""An honest client in a process of its own: ``honest.py PORT CPU COUNT``.

Says the 99th percentile of the time from request to reply, in seconds.
"""

from __future__ import annotations

import os
import socket
import sys
from time import perf_counter, sleep


def main(port: int, cpu: int, count: int) -> None:
    """Asks ``count`` times, a millisecond after each answer."""
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})
    message = b"\0\0\0\x40" + bytes(64)
    times = []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            sleep(0.001)
            before = perf_counter()
            sock.sendall(message)
            missing = len(message)
            while missing:
                missing -= len(sock.recv(missing)) or sys.exit("the server hung up")
            times.append(perf_counter() - before)
    times.sort()
    print(times[int(len(times) * 0.99)], flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
