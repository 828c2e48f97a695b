from __future__ import annotations

from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from netlab.api.rooms import Message, RoomError, RoomLimits
from netlab.errors import ConfigurationError


class Model(SynchronousTestCase):
    def test_message_on_the_wire(self) -> None:
        """``missed`` is said only when there is something to say."""
        self.assertEqual(
            msgspec.json.encode(Message(1, "Ada", "hello")),
            b'{"id":1,"name":"Ada","text":"hello"}',
        )
        self.assertEqual(
            msgspec.json.encode(Message(9, "Ada", "hello", 7)),
            b'{"id":9,"name":"Ada","text":"hello","missed":7}',
        )

    def test_limits(self) -> None:
        RoomLimits()
        for name in ("max_rooms", "max_members", "max_joined", "max_history", "history_bytes"):
            for value in (0, -1, True, 1.5, "9"):
                with self.assertRaisesRegex(ConfigurationError, f"{name} is a number of"):
                    RoomLimits(**{name: value})  # type: ignore[arg-type]
        with self.assertRaisesRegex(ConfigurationError, "so that the longest message fits"):
            RoomLimits(history_bytes=4000)

    def test_limits_are_told(self) -> None:
        """The document has the defaults."""
        text = (Path(__file__).parents[3] / "docs" / "api_classes.md").read_text()
        limits = RoomLimits()
        self.assertEqual(limits.max_history, 1000)
        for told in (
            f"a thousand messages, or {limits.history_bytes // 1024} KiB",
            f"({limits.max_members:,} members)",
            f"({limits.max_rooms}; {limits.max_joined} for one connection)",
        ):
            self.assertIn(told, text)
        for error in RoomError:
            self.assertIn(f"| {error.value} ", text)
