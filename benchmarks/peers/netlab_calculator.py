"""netlab's own: the class of the tutorial, with ``add`` alone.

Served by ``twistd netlab message --app benchmarks.peers.netlab_calculator:Calculator``;
``in_msgpack`` in place of ``Calculator`` speaks MessagePack.
"""

from netlab.api import Api, ApiFactory, method


class Calculator(Api):
    """Arithmetic for the first lab."""

    @method
    def add(self, a: int, b: int) -> int:
        """The sum of two integers."""
        return a + b


in_msgpack = ApiFactory(Calculator, codec="msgpack")
