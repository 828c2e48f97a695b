# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import netlab

PUBLIC = """
    Backoff ConfigurationError ConnectFailed ConnectionAborted ConnectionClosed ConnectionReset
    ContentLength CorruptedFrame DatagramApp DatagramClient DatagramLimits DatagramServer
    DatagramStats DeadlineExceeded FrameTooLong Framing LengthPrefix Limits Line ListenFailed
    LocalProtocolError MessageClient MessageFactory MessageProtocol MessageServer NetlabError
    Netstring NoReply ProtocolError RemoteProtocolError Stats TruncatedFrame Unreachable Varint
    connect serve
"""


class PublicNames(SynchronousTestCase):
    def test_pinned(self) -> None:
        self.assertEqual(netlab.__all__, PUBLIC.split())

    def test_each_is_there(self) -> None:
        for name in netlab.__all__:
            found = getattr(netlab, name)
            self.assertEqual(found.__name__, name)
            self.assertIs(getattr(netlab, name), found)

    def test_star(self) -> None:
        names: dict[str, Any] = {}
        exec("from netlab import *", names)
        self.assertLessEqual(set(netlab.__all__), set(names))

    def test_dir(self) -> None:
        self.assertLessEqual({*netlab.__all__, "__all__", "__doc__"}, set(dir(netlab)))

    def test_unknown(self) -> None:
        name = "conect"
        with self.assertRaises(AttributeError) as caught:
            getattr(netlab, name)
        self.assertEqual(str(caught.exception), "module 'netlab' has no attribute 'conect'")
        self.assertIs(caught.exception.obj, netlab)

    def test_a_class_is_the_same_by_any_way(self) -> None:
        from netlab.framing import LengthPrefix
        from netlab.message import MessageProtocol

        self.assertIs(netlab.LengthPrefix, LengthPrefix)
        self.assertIs(netlab.MessageProtocol, MessageProtocol)


class Laziness(SynchronousTestCase):
    def modules_after(self, statement: str) -> set[str]:
        """What a fresh interpreter has imported after ``statement``."""
        code = f"{statement}\nimport sys\nprint(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return set(done.stdout.decode().split())

    def test_importing_netlab_imports_nothing(self) -> None:
        loaded = self.modules_after("import netlab; dir(netlab)")
        self.assertEqual({each for each in loaded if each.startswith("netlab.")}, set())

    def test_what_needs_no_twisted_loads_none(self) -> None:
        loaded = self.modules_after("from netlab import ConnectFailed, LengthPrefix")
        self.assertIn("netlab.framing", loaded)
        self.assertNotIn("twisted", loaded)

    def test_no_reactor_is_installed(self) -> None:
        loaded = self.modules_after("from netlab import *")
        self.assertIn("twisted", loaded)
        self.assertNotIn("twisted.internet.reactor", loaded)
