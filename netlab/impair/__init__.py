"""Seeded impairments: what a bad network does, in the words of ``tc netem``, again and again.

>>> from netlab.impair import Link, parse
>>> impairment = parse("loss 10% delay 50ms 10ms seed 7")
>>> link = Link(impairment.outward, seed=impairment.seed, direction="out")
>>> link.offer(0.0, ("192.0.2.7", 40000), b"hello").words()
'dropped: loss'
>>> link.offer(0.0, ("192.0.2.7", 40000), b"hello").words()
'delayed 53.3 ms'
>>> link.take(0.1)
[(b'hello', None)]

Nothing here reads a clock or a socket: the moment is an argument, and bytes come
in and go out. The same seed gives the same fates, on every machine and with every
version of Python; ``netlab.impair.draws`` says how the numbers come about.
"""

from netlab.impair.conditions import (
    Conditions,
    Impairment,
    StreamConditions,
    StreamImpairment,
)
from netlab.impair.fate import Fate
from netlab.impair.link import Link
from netlab.impair.parse import parse, parse_stream
from netlab.impair.stream import StreamLink

__all__ = [
    "Conditions",
    "Fate",
    "Impairment",
    "Link",
    "StreamConditions",
    "StreamImpairment",
    "StreamLink",
    "parse",
    "parse_stream",
]
