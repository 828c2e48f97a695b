# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Fates on purpose: the same again for the same seed, at their time, and written down."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from netlab import DatagramLimits
from netlab.datagram import Echo, Peer
from netlab.impair import parse
from netlab.ledger import open_recorder
from netlab.transport.datagrams import DROP_BROADCAST
from tests.datagram.support import CLIENT, HERE, OTHER, SIX, MemoryCase, Noting, Slow, trouble

UNLIMITED = DatagramLimits(source_rate=0, total_rate=0)
EVERYTHING = (
    "in loss 10% delay 40ms 30ms reorder 20% duplicate 10% corrupt 5% "
    "out loss gemodel 5% 30% delay 20ms 15ms distribution normal seed 7"
)


class Noted:
    """A recorder that keeps what it is told."""

    capturing = True

    def __init__(self) -> None:
        self.lines: list[tuple[str, Any, Any, bytes, str]] = []
        self.fields: list[dict[str, Any]] = []

    def datagram(
        self, direction: str, peer: Any, host: Any, data: bytes, fate: str, **fields: Any
    ) -> None:
        self.lines.append((direction, peer, host, data, fate))
        self.fields.append(fields)

    @property
    def fates(self) -> list[str]:
        """Direction and fate of each."""
        return [f"{line[0]}: {line[4]}" for line in self.lines]


class FatesCase(MemoryCase):
    def serve_impaired(self, words: str, app: Any = Echo, *listen: str, **options: Any) -> Any:
        """A server with impairments and no rates."""
        impair = parse(words) if words else None
        return self.serve(app, *listen, impair=impair, limits=UNLIMITED, **options)

    def seen(self, words: str, peers: list[Peer], count: int) -> dict[Peer, list[Any]]:
        """What becomes of ``count`` datagrams of each of ``peers``: recorded, and sent when."""
        recorder: Any = Noted()
        server = self.serve_impaired(words, recorder=recorder)
        came: dict[Peer, list[Any]] = {peer: [] for peer in peers}
        began = self.clock.seconds()
        for number in range(count):
            for peer in peers:
                self.arrive(b"%d" % number, peer=peer)
            self.advance(0.01)
            self.collect(came, began)
        for _ in range(40):
            self.advance(0.01)
            self.collect(came, began)
        self.successResultOf(server.stop(0))
        for (direction, peer, _, data, fate), fields in zip(
            recorder.lines, recorder.fields, strict=True
        ):
            came[peer].append((direction, data, fate, fields))
        return came

    def collect(self, came: dict[Peer, list[Any]], began: float) -> None:
        """What was sent since the last time, with the time."""
        for data, name, _, *_ in self.socket.sent:
            came[name].append((round(self.clock.seconds() - began, 3), data))
        self.socket.sent.clear()


class Same(FatesCase):
    def test_again(self) -> None:
        """The same seed is the same fates, whatever port a client has this time."""
        (one,) = self.seen(EVERYTHING, [CLIENT], 120).values()
        (two,) = self.seen(EVERYTHING, [(CLIENT[0], 50001)], 120).values()
        self.assertEqual(one, two)
        words = " ".join(each[2] for each in one if len(each) == 4)
        for word in ("dropped: loss", "delayed", "duplicated", "corrupted", "reordered"):
            self.assertIn(word, words)
        (other,) = self.seen(EVERYTHING.replace("seed 7", "seed 8"), [CLIENT], 120).values()
        self.assertNotEqual(one, other)

    def test_no_seed(self) -> None:
        """Without a seed each port has its own fates, and each server others."""
        peers = [(CLIENT[0], 50000 + number) for number in range(3)]
        words = EVERYTHING.replace(" seed 7", "")
        came = [repr(each) for _ in range(2) for each in self.seen(words, peers, 40).values()]
        self.assertEqual(len(set(came)), 6)

    def test_others(self) -> None:
        """Other clients do not change mine: neither fates nor times."""
        crowd = [CLIENT, *((f"198.51.100.{number}", 40000) for number in range(9))]
        (alone,) = self.seen(EVERYTHING, [CLIENT], 60).values()
        amid = self.seen(EVERYTHING, crowd, 60)
        self.assertEqual(amid[CLIENT], alone)
        self.assertEqual(len({repr(each) for each in amid.values()}), len(crowd))

    def test_new_socket(self) -> None:
        """A broken socket in between does not change them, nor lose what is under way."""
        words = "in delay 300ms out delay 300ms"
        server = self.serve_impaired(words)
        self.arrive(b"1", *[trouble(5)] * 3)
        self.advance(0.35)
        self.assertEqual(len(self.sockets), 2)
        self.advance(0.1)
        self.arrive(b"2")
        self.advance(2)
        self.assertEqual(self.sent(), [b"1", b"2"])
        self.assertEqual(server.stats.errors, {"EIO": 3})

    def test_without_a_socket(self) -> None:
        """What is due while there is no socket is lost; what is due later is sent."""
        server = self.serve_impaired("delay 500ms")
        self.arrive(b"1")
        self.cannot_bind += [105] * 4
        self.arrive(*[trouble(5)] * 3)
        self.advance(0.55)
        self.assertTrue(self.socket.closed)
        self.advance(0.5)
        self.arrive(b"2")
        self.advance(1)
        self.assertEqual(self.sent(), [b"2"])
        self.assertEqual(server.stats.datagrams_out, 1)


class Times(FatesCase):
    def test_delay(self) -> None:
        """Each direction has its delay; neither earlier nor much later."""
        app = Noting(lambda data: data)
        self.serve_impaired("in delay 100ms out delay 200ms", app)
        self.arrive(b"1")
        self.advance(0.0995)
        self.assertEqual(app.notes, ["started"])
        self.advance(0.001)
        self.assertEqual(app.notes[1:], [(b"1", CLIENT)])
        self.advance(0.1985)
        self.assertEqual(self.sent(), [])
        self.advance(0.0025)
        self.assertEqual(self.sent(), [b"1"])

    def test_late_answer(self) -> None:
        """A delay begins when the answer is there, though nothing has woken the hub since."""
        app = Slow()
        self.serve_impaired("delay 100ms", app)
        self.arrive(b"1")
        self.clock.callLater(0.3, app.go_on)
        self.advance(0.399)
        self.assertEqual(self.sent(), [])
        self.advance(0.002)
        self.assertEqual(self.sent(), [b"1"])

    def test_news(self) -> None:
        """So does that of a datagram that is no reply."""
        app = Noting()
        self.serve_impaired("delay 100ms", app)
        self.clock.callLater(0.3, app.send, b"news", CLIENT)
        self.advance(0.399)
        self.assertEqual(self.sent(), [])
        self.advance(0.002)
        self.assertEqual(self.sent(), [b"news"])

    def test_order(self) -> None:
        """What is due first goes first, and at the same time in the order of coming."""
        self.serve_impaired("delay 50ms 40ms")
        for number in range(30):
            self.arrive(b"%02d" % number)
        self.advance(1)
        self.assertEqual(len(self.sent()), 30)
        self.serve_impaired("delay 50ms", Echo, "udp:9001")
        self.arrive(*[b"%02d" % number for number in range(30)])
        self.advance(1)
        self.assertEqual(self.sent(), [b"%02d" % number for number in range(30)])

    def test_few_alarms(self) -> None:
        """Thousands under way are waited for with one alarm for each direction."""
        self.serve_impaired("in delay 100ms 90ms limit 5000 out delay 100ms 90ms limit 5000")
        for _ in range(60):
            self.arrive(*[b"x"] * 64)
            self.assertLessEqual(len(self.alarms), 2)
        self.advance(1)
        self.assertEqual(len(self.sent()), 60 * 64)
        self.assertEqual(self.alarms, [])

    def test_ports(self) -> None:
        """Each goes out where it came in, also when they are due together."""
        self.serve_impaired("delay 100ms", Echo, HERE, "udp:9001", "udp6:9002")
        for number in range(9):
            peer = SIX if number % 3 == 2 else CLIENT
            self.arrive(b"%d" % number, peer=peer, at=number % 3)
        self.advance(1)
        sent = [self.sent(at) for at in range(3)]
        self.assertEqual(sent, [[b"0", b"3", b"6"], [b"1", b"4", b"7"], [b"2", b"5", b"8"]])

    @given(st.lists(st.tuples(st.floats(0, 0.2), st.binary(max_size=8)), max_size=40))
    def test_nothing_stays(self, comes: list[tuple[float, bytes]]) -> None:
        """Whenever they come, all leave at their time: the alarm is never missed."""
        if not self.servers:
            self.serve_impaired("in delay 30ms 20ms out delay 10ms 5ms")
        self.sent()
        for gap, data in comes:
            self.advance(gap)
            self.arrive(data)
        self.advance(0.1)
        self.assertEqual(sorted(self.sent()), sorted(data for _, data in comes))
        self.assertEqual(self.alarms, [])


class Counted(FatesCase):
    def test_dropped(self) -> None:
        """What is lost is counted by direction, and not as anything else."""
        for words, dropped, seen in (
            ("in loss 100%", {"in_loss": 5}, 0),
            ("loss 100%", {"out_loss": 5}, 5),
            ("in delay 1s limit 2", {"in_limit": 3}, 2),
            ("delay 1s limit 2", {"out_limit": 3}, 5),
        ):
            app = Noting(lambda data: data)
            server = self.serve_impaired(words, app)
            self.arrive(*[b"x"] * 5)
            self.advance(2)
            self.assertEqual((server.stats.dropped, len(app.notes) - 1), (dropped, seen), words)
            self.assertEqual(len(self.sent()), server.stats.datagrams_out)
            self.successResultOf(server.stop())

    def test_duplicated(self) -> None:
        """A second copy inward is handled again; outward it is only sent again."""
        for words, handled in (("in duplicate 100%", 2), ("duplicate 100%", 1)):
            app = Noting(lambda data: data)
            server = self.serve_impaired(words, app)
            self.arrive(b"1")
            self.advance(1)
            self.assertEqual(self.sent(), [b"1", b"1"])
            self.assertEqual(len(app.notes), 1 + handled)
            self.assertEqual((server.stats.datagrams_in, server.stats.datagrams_out), (1, 2))
            self.successResultOf(server.stop())

    def test_corrupted(self) -> None:
        """One bit is another; the length is as it was, so that the reply is sent."""
        self.serve_impaired("corrupt 100%")
        (got,) = self.ask(b"\0" * 100)
        self.assertEqual((len(got), sum(each.bit_count() for each in got)), (100, 1))
        self.assertEqual(self.ask(b""), [b""])

    def test_rate_first(self) -> None:
        """What is refused has no fate: it takes no part in the count of packets."""
        recorder: Any = Noted()
        impair, limits = parse("in loss 50% seed 1"), DatagramLimits(source_rate=2)
        self.serve(Echo, impair=impair, limits=limits, recorder=recorder)
        self.arrive(*[b"x"] * 5)
        indices = [each["index"] for each in recorder.fields if "index" in each]
        self.assertEqual(indices, [0, 1])


class Recorded(FatesCase):
    host: ClassVar[tuple[str, int]] = ("127.0.0.1", 9000)

    def record(self, words: str, *data: bytes, app: Any = Echo, **options: Any) -> Noted:
        """What is recorded when ``data`` come."""
        recorder: Any = Noted()
        impair = parse(words) if words else None
        server = self.serve(app, impair=impair, recorder=recorder, **options)
        self.arrive(*data)
        self.advance(1)
        self.successResultOf(server.stop(0))
        noted: Noted = recorder
        return noted

    def test_plain(self) -> None:
        """Without impairments: received and sent, with the bytes and both ends."""
        noted = self.record("", b"1", b"22")
        self.assertEqual(
            noted.lines,
            [
                ("in", CLIENT, self.host, b"1", "received"),
                ("in", CLIENT, self.host, b"22", "received"),
                ("out", CLIENT, self.host, b"1", "sent"),
                ("out", CLIENT, self.host, b"22", "sent"),
            ],
        )
        self.assertEqual(noted.fields, [{}] * 4)

    def test_words(self) -> None:
        """Each fate, in the words of the impairments."""
        for words, fates in (
            ("in loss 100%", ["in: dropped: loss"]),
            ("loss 100%", ["in: received", "out: dropped: loss"]),
            ("in delay 73ms", ["in: delayed 73 ms", "out: sent"]),
            ("in loss 0% out loss 0%", ["in: received", "out: sent"]),
            ("duplicate 100%", ["in: received", "out: sent, duplicated"]),
        ):
            self.assertEqual(self.record(words, b"1").fates, fates, words)
        noted = self.record("delay 5ms limit 1", b"1", b"2")
        self.assertEqual(noted.fates[-1], "out: dropped: limit")

    def test_fields(self) -> None:
        """The packet's number in its flow, and what each copy is delayed by."""
        noted = self.record("in delay 20ms duplicate 100%", b"1", b"2")
        inward = [
            fields
            for line, fields in zip(noted.lines, noted.fields, strict=True)
            if line[0] == "in"
        ]
        self.assertEqual([each["index"] for each in inward], [0, 1])
        self.assertEqual([each["delay_ms"] for each in inward], [[20.0, 20.0]] * 2)
        noted = self.record("in loss 100%", b"1")
        self.assertEqual(noted.fields, [{"index": 0}])

    def test_refused(self) -> None:
        """What the guard refuses, and why."""
        recorder: Any = Noted()
        limits = DatagramLimits(source_rate=1)
        self.serve(Echo, HERE, "udp6:9001", limits=limits, recorder=recorder)
        self.arrive(b"1", b"2", at=0)
        self.arrive(b"3", peer=("192.0.2.9", 7), at=0)
        self.arrive(b"4", peer=OTHER, way=DROP_BROADCAST, at=0)
        self.arrive(b"5", peer=("2001:db8::7", 0, 0, 0), at=1)
        refused = [line for line in recorder.lines if "refused" in line[4]]
        self.assertEqual(
            [(line[1], line[3], line[4]) for line in refused],
            [
                (CLIENT, b"2", "refused: source_rate"),
                (("192.0.2.9", 7), b"3", "refused: source_port"),
                (OTHER, b"4", "refused: broadcast"),
                (("2001:db8::7", 0), b"5", "refused: source_port"),
            ],
        )
        self.assertEqual(refused[-1][2], ("::", 9001))

    def test_not_answered(self) -> None:
        """A reply that is never sent, and why, beside the request that was received."""

        def answer(data: bytes) -> Any:
            if data == b"bad":
                raise ValueError
            return Deferred() if data == b"wait" else data + b"!"

        limits = DatagramLimits(max_pending=1)
        noted = self.record(
            "", b"long", b"bad", b"wait", b"wait", app=Noting(answer), limits=limits
        )
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(noted.fates[:4], ["in: received"] * 4)
        self.assertEqual(
            [(data, fate) for _, _, _, data, fate in noted.lines[4:]],
            [
                (b"long!", "dropped: reply_too_long"),
                (b"", "dropped: handler_failed"),
                (b"", "dropped: busy"),
            ],
        )

    def test_files(self) -> None:
        """Into a ledger and a capture, for good."""
        with tempfile.TemporaryDirectory() as folder:
            ledger, capture = Path(folder, "fates.jsonl"), Path(folder, "fates.pcapng")
            recorder = open_recorder(ledger, capture)
            words = "in loss 30% delay 10ms duplicate 20% seed 3"
            server = self.serve(
                Echo, impair=parse(words), recorder=recorder, limits=DatagramLimits(source_rate=20)
            )
            self.arrive(*[b"%02d" % number for number in range(25)])
            self.advance(1)
            self.successResultOf(server.stop())
            recorder.close()
            lines = [json.loads(line) for line in ledger.read_text().splitlines()]
            self.assertEqual(recorder.lost, 0)
            stats = server.stats
            fates = [line["fate"] for line in lines if line["direction"] == "in"]
            self.assertEqual(len(fates), stats.datagrams_in)
            self.assertEqual(fates.count("dropped: loss"), stats.dropped["in_loss"])
            self.assertEqual(fates.count("refused: source_rate"), stats.dropped["source_rate"])
            self.assertEqual(fates.count("refused: source_rate"), 5)
            sent = [line for line in lines if line["direction"] == "out"]
            self.assertEqual(len(sent), stats.datagrams_out)
            self.assertEqual({line["fate"] for line in sent}, {"sent"})
            self.assertEqual({line["peer"] for line in lines}, {"192.0.2.7:40000"})
            self.assertEqual({line["host"] for line in lines}, {"127.0.0.1:9000"})
            drawn = capture.read_bytes()
            self.assertEqual(drawn.count(b"refused: source_rate"), 5)
            self.assertEqual(drawn.count(b"dropped: loss"), fates.count("dropped: loss"))
            self.assertIn(b"delayed 10 ms, duplicated", drawn)
