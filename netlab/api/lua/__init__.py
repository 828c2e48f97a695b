"""The parts of a Wireshark dissector that are the same for every api, in Lua.

Lua 5.2 to 5.4, as in Wireshark 3.6 and later. What they are given: ``NAME``, ``TITLE``,
``PORT``, ``MAX_MESSAGE`` and ``METHODS``. One after another they make one file: first one
of ``FRAMES``, then ``JSON``, ``FIELDS`` and ``DISSECTOR``.
"""

from .dissecting import DISSECTOR, FIELDS
from .framings import FRAMES
from .parsing import JSON

__all__ = ["DISSECTOR", "FIELDS", "FRAMES", "JSON"]
