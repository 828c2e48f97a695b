"""What the kernel holds of a stream's output. (Streams themselves: ``test_stream``.)"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from netlab.transport.sockets import unsent


class Unsent(SynchronousTestCase):
    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two connected TCP sockets."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            here = socket.create_connection(listener.getsockname())
            self.addCleanup(here.close)
            there, _ = listener.accept()
            self.addCleanup(there.close)
        return here, there

    def test_tcp(self) -> None:
        """It grows while the peer does not read, and falls when it does."""
        here, there = self.pair()
        here.setblocking(False)
        self.assertEqual(unsent(here), 0)
        sent = 0
        try:
            while True:
                sent += here.send(bytes(65536))
        except BlockingIOError:
            pass
        full = unsent(here)
        self.assertGreater(full, 0)
        self.assertLessEqual(full, sent)
        there.settimeout(10)
        got = 0
        while got < sent:
            got += len(there.recv(1 << 20))
        self.assertLess(unsent(here), full)

    def test_unix(self) -> None:
        """On a UNIX socket too."""
        here, there = socket.socketpair()
        with here, there:
            here.send(b"x" * 1000)
            self.assertGreater(unsent(here), 0)
            there.recv(1000)
            self.assertEqual(unsent(here), 0)

    def test_not_known(self) -> None:
        """A bridge, or a socket in memory, is no socket of the kernel's."""
        self.assertEqual(unsent(object()), 0)
