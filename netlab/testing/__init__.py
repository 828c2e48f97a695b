"""The test kit, for netlab's own tests and for everybody's.

``pair`` and ``serve`` run a message protocol in memory on a fake clock, with
seeded faults; ``netlab.testing.framing.check_framing`` tries to break a
framing (it needs Hypothesis: ``pip install netlab[test]``).
"""

from .memory import MemoryServer, Pair, RawPeer, pair, serve
from .network import Faults, MemoryHub, MemorySocket, socket_pair

__all__ = [
    "Faults",
    "MemoryHub",
    "MemoryServer",
    "MemorySocket",
    "Pair",
    "RawPeer",
    "pair",
    "serve",
    "socket_pair",
]
