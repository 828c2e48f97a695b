"""``Log``: what is below the level does not even come into being."""

from __future__ import annotations

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.transport import LEVELS, Log, log, set_level
from tests.transport.support import Lines


class Speaker:
    log = Log()


class Level(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(log, "_threshold", LogLevel.info)
        self.lines = Lines(self)

    def said(self) -> list[str]:
        """What comes through when each level says its name."""
        speaker = Speaker()
        self.lines.events.clear()
        for level in LEVELS:
            getattr(speaker.log, level)("I am {name}", name=level)
        return [each["name"] for each in self.lines.events]

    def test_default(self) -> None:
        """Info and above."""
        self.assertEqual(self.said(), ["info", "warn", "error", "critical"])

    def test_each(self) -> None:
        """A level lets itself and those above it through."""
        for number, level in enumerate(LEVELS):
            set_level(level)
            self.assertEqual(self.said(), list(LEVELS[number:]))
            self.assertEqual(log.debugging(), level == "debug")

    def test_unknown(self) -> None:
        """A name that is no level is refused, with those that are; nothing changes."""
        for name in ("loud", "", "INFO", "failure"):
            error = self.assertRaises(ConfigurationError, set_level, name)
            self.assertIn("debug, info, warn, error, critical", str(error))
        self.assertEqual(self.said()[0], "info")

    def test_failures(self) -> None:
        """A failure is critical, whatever the level."""
        set_level("critical")
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            Speaker.log.failure("it broke")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_source(self) -> None:
        """It knows who speaks, as any logger of Twisted's does."""
        speaker = Speaker()
        speaker.log.info("here")
        self.assertIs(self.lines.events[-1]["log_source"], speaker)
        self.assertEqual(speaker.log.namespace, f"{__name__}.Speaker")
