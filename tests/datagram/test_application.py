# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``load_application``: what ``--app`` names. The rest is in tests/test_application.py."""

from __future__ import annotations

import sys
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from netlab import ConfigurationError, DatagramApp, MessageProtocol
from netlab.datagram import Echo, load_application


class Names(DatagramApp):
    """A class of one's own."""


class Applications(SynchronousTestCase):
    def setUp(self) -> None:
        module = ModuleType("nl_names")
        vars(module).update(
            Names=Names, one=Names(), DatagramApp=DatagramApp, Shout=MessageProtocol, number=5
        )
        sys.modules["nl_names"] = module
        self.addCleanup(sys.modules.pop, "nl_names")

    def test_built_in(self) -> None:
        """``echo``, and no more."""
        self.assertIs(load_application("echo"), Echo)
        error = self.assertRaises(ConfigurationError, load_application, "shout")
        self.assertIn("write MODULE:CLASS, as in names:Names, or one of: echo", str(error))

    def test_module(self) -> None:
        """A class, or an object."""
        self.assertIs(load_application("nl_names:Names"), Names)
        self.assertIsInstance(load_application("nl_names:one"), Names)

    def test_other(self) -> None:
        """What is served elsewhere, or nowhere, is none; neither is what all are made of."""
        for name in ("Shout", "number", "DatagramApp"):
            error = self.assertRaises(ConfigurationError, load_application, f"nl_names:{name}")
            self.assertIn(f"{name} is not a subclass of netlab.DatagramApp", str(error))

    def test_near(self) -> None:
        """A slip is understood."""
        error = self.assertRaises(ConfigurationError, load_application, "nl_names:Nmaes")
        self.assertIn("module 'nl_names' has no 'Nmaes'; it has Names", str(error))
