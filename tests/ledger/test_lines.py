# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.ledger.lines import LONGEST_FIELDS, Ledger, whole_lines
from netlab.ledger.records import DATAGRAM, LONGEST_FATE, LOST
from tests.ledger.reading import lines

PEER, HOST = ("192.0.2.1", 4711), ("192.0.2.2", 8007)
TIME = 1_772_366_400_000_250_999
STANDARD = ("time", "direction", "peer", "host", "size", "fate")
KEYS = st.text(st.characters(codec=None, categories=None)).filter(lambda key: key not in STANDARD)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None, categories=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def encode(
    *,
    time: int = TIME,
    peer: tuple[str, int] = PEER,
    data: bytes = b"hello",
    fate: str = "received",
    lost: int = 0,
    **fields: Any,
) -> bytes:
    """The line of a datagram."""
    return encode_with(fields, time, peer, data, fate, lost)


def encode_with(
    fields: dict[str, Any],
    time: int = TIME,
    peer: tuple[str, int] = PEER,
    data: bytes = b"hello",
    fate: str = "received",
    lost: int = 0,
) -> bytes:
    record = (DATAGRAM, len(data), time, "in", peer, HOST, data, len(data), fate, fields)
    return Ledger().encode(record, lost)


class Hostile:
    def __repr__(self) -> str:
        return "\x1b[31m" * 100


class Lines(SynchronousTestCase):
    def test_line(self) -> None:
        """Compact, on one line, its keys in order."""
        self.assertEqual(
            encode(fate="dropped: loss", index=7, delay_ms=73.5, why="so"),
            b'{"time":"2026-03-01T12:00:00.000250Z","direction":"in","peer":"192.0.2.1:4711",'
            b'"host":"192.0.2.2:8007","size":5,"fate":"dropped: loss",'
            b'"index":7,"delay_ms":73.5,"why":"so"}\n',
        )
        self.assertTrue(encode().endswith(b'"fate":"received"}\n'))

    def test_lost(self) -> None:
        """What is missing is said before the next line, in a line of its own."""
        self.assertEqual(encode(lost=3), b'{"lost_records":3}\n' + encode())
        self.assertEqual(Ledger().ending(3), b'{"lost_records":3}\n')
        self.assertEqual(Ledger().missing((LOST, 0, 3, 4)), 3)

    @given(st.integers(-(10**18), 10**19))
    def test_times(self, time: int) -> None:
        """RFC 3339, rounded down to microseconds."""
        (line,) = lines(encode(time=time))
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time // 1000)
        self.assertTrue(line["time"].endswith("Z"))
        self.assertEqual(len(line["time"]), 27)
        self.assertEqual(datetime.fromisoformat(line["time"]), moment)

    def test_addresses(self) -> None:
        for peer, shown in (
            (("192.0.2.1", 0), "192.0.2.1:0"),
            (("2001:db8::1", 65535), "[2001:db8::1]:65535"),
            (("fe80::1%eth0", 9), "[fe80::1%eth0]:9"),
            (("fe80::1%\x1b\n", 9), "[fe80::1%\\x1b\\n]:9"),
            (("unix:/run/x", 3), "[unix:/run/x]:3"),
        ):
            (line,) = lines(encode(peer=peer))
            self.assertEqual(line["peer"], shown)

    def test_fates(self) -> None:
        """Escaped and bounded, as all that a peer may have chosen."""
        for fate, shown in (
            ("delayed 73 ms, duplicated", "delayed 73 ms, duplicated"),
            ("zu spät", "zu spät"),
            ('quoted "so" \\', 'quoted "so" \\'),
            ("\x1b[31m\n\u202e\x7f\ud800", "\\x1b[31m\\n\\u202e\\x7f\\ud800"),
            ("x" * 5000, "x" * LONGEST_FATE + "..."),
        ):
            (line,) = lines(encode(fate=fate))
            self.assertEqual(line["fate"], shown)


class Fields(SynchronousTestCase):
    @given(st.dictionaries(KEYS, VALUES))
    def test_any(self, fields: dict[str, Any]) -> None:
        """What JSON can say comes back the same, in the same order."""
        (line,) = lines(encode_with(fields))
        self.assertEqual(list(line.items())[6:], list(fields.items()))

    def test_others(self) -> None:
        """The rest is described, and never raises."""
        around: list[object] = []
        around.append(around)
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]
        (line,) = lines(
            encode(
                nan=float("nan"),
                infinite=[float("inf")],
                raw=b"\xff\x1b",
                some={1, 2},
                keys={(1, 2): 3},
                huge=10**5000,
                hostile=Hostile(),
                around=around,
                deep=deep,
            )
        )
        self.assertEqual(
            {key: line[key] for key in list(line)[6:]},
            {
                "nan": "nan",
                "infinite": "[inf]",
                "raw": "\\xff\\x1b",
                "some": "{1, 2}",
                "keys": "{(1, 2): 3}",
                "huge": "int",
                "hostile": "\\x1b[31m" * 40 + "...",
                "around": "[[...]]",
                "deep": "list",
            },
        )

    def test_size_is_the_datagrams(self) -> None:
        (line,) = lines(encode(size=99))
        self.assertEqual(line["size"], 5)

    def test_bounded(self) -> None:
        (line,) = lines(encode(payload="x" * LONGEST_FIELDS))
        self.assertEqual(list(line)[6:], ["left_out"])
        self.assertIn(f"{LONGEST_FIELDS + 13} bytes", line["left_out"])


class Continuing(SynchronousTestCase):
    def test_is_ours(self) -> None:
        ledger = Ledger()
        self.assertEqual(ledger.header() + ledger.footer(1, 2, 3), b"")
        self.assertTrue(ledger.is_ours(encode()[:16]))
        self.assertFalse(ledger.is_ours(b"Dear diary"))

    def test_whole(self) -> None:
        line = encode()
        for end in range(len(line)):
            self.assertEqual(whole_lines(line[:end]), 0)
            self.assertEqual(Ledger().whole(line + line[:end]), len(line))
