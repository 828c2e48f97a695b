"""The lines that are written once a second."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

from twisted.trial.unittest import SynchronousTestCase

from netlab.http import dates
from netlab.http.dates import Dates, server_line


class Lines(SynchronousTestCase):
    def test_once_a_second(self) -> None:
        """The same object within a second; another one after it, and when the clock is set back."""
        now = [784111777.0]
        self.patch(dates, "time", lambda: now[0])
        clock = Dates()
        first = clock.line()
        self.assertEqual(first, b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
        now[0] += 0.999
        self.assertIs(clock.line(), first)
        now[0] += 0.001
        self.assertEqual(clock.line(), b"Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n")
        now[0] -= 3600
        self.assertEqual(clock.line(), b"Date: Sun, 06 Nov 1994 07:49:38 GMT\r\n")

    def test_server(self) -> None:
        self.assertRegex(server_line(), rb"^Server: netlab/[0-9]+\.[0-9a-z.]+\r\n$")

    def test_not_installed(self) -> None:
        def version(name: str) -> str:
            raise PackageNotFoundError(name)

        self.patch(dates, "version", version)
        self.assertEqual(server_line.__wrapped__(), b"Server: netlab\r\n")
