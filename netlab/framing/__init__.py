"""Framings: where one message ends and the next begins in a stream of bytes.

>>> from netlab.framing import LengthPrefix
>>> decoder = LengthPrefix().decoder()
>>> decoder.feed(LengthPrefix().encode(b"hello") + b"\\0\\0")
[b'hello']
>>> decoder.buffered
2
"""

from netlab.framing.base import DEFAULT_MAX_MESSAGE, Decoder, Framing
from netlab.framing.contentlength import ContentLength
from netlab.framing.lengthprefix import LengthPrefix
from netlab.framing.line import Line
from netlab.framing.names import FRAMINGS, parse_framing
from netlab.framing.netstring import Netstring
from netlab.framing.varint import Varint

__all__ = [
    "DEFAULT_MAX_MESSAGE",
    "FRAMINGS",
    "ContentLength",
    "Decoder",
    "Framing",
    "LengthPrefix",
    "Line",
    "Netstring",
    "Varint",
    "parse_framing",
]
