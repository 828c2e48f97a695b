"""Room for connections."""

from __future__ import annotations

import resource

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.transport.descriptors import SPARE, allow_descriptors

INFINITY = resource.RLIM_INFINITY


class Room(SynchronousTestCase):
    def allow(self, connections: int, soft: int, hard: int) -> list[tuple[int, int]]:
        """What the limit is set to, if it is, when it was ``soft`` and ``hard``."""
        set_to: list[tuple[int, int]] = []
        self.patch(resource, "getrlimit", lambda what: (soft, hard))
        self.patch(resource, "setrlimit", lambda what, limits: set_to.append(limits))
        allow_descriptors(connections)
        return set_to

    def test_enough(self) -> None:
        """A limit that is high enough stays."""
        self.assertEqual(self.allow(1000, 1000 + SPARE, 4096), [])
        self.assertEqual(self.allow(1000, INFINITY, INFINITY), [])

    def test_raised(self) -> None:
        """The soft limit is raised by as much as is needed; the hard one stays."""
        self.assertEqual(self.allow(1000, 1000, 4096), [(1000 + SPARE, 4096)])
        self.assertEqual(self.allow(4096 - SPARE, 1024, 4096), [(4096, 4096)])
        self.assertEqual(self.allow(10**6, 1024, INFINITY), [(10**6 + SPARE, INFINITY)])

    def test_too_many(self) -> None:
        """Above the hard limit: what is wrong, and what to do about it."""
        error = self.assertRaises(ConfigurationError, self.allow, 4096, 1024, 4096)
        for part in ("max_connections of 4096", "4096 files", "ulimit -n"):
            self.assertIn(part, str(error))

    def test_for_real(self) -> None:
        """What there is room for already needs nothing of the system."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        allow_descriptors(1)
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), before)
