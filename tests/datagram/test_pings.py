"""The packets of a ping and what became of them, without socket and clock."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.datagram import pings as module
from netlab.datagram.pings import HEADER, LARGEST, MAGIC, SMALLEST, Fate, Pings, Reply

from .peers import flip

SESSION = 0xDEADBEEF


def pings(sent: int = 0, **options: Any) -> Pings:
    """A run of which so many packets were sent, one a second from 0 on."""
    run = Pings(**{"session": SESSION, **options})
    for number in range(sent):
        run.sent(float(number))
    return run


class Packets(SynchronousTestCase):
    def test_bytes(self) -> None:
        """The format is documented: it does not change."""
        packet = pings(session=0x01020304, size=24).packet(5)
        self.assertEqual(
            packet.hex(" ", 4), "4e4c5047 01020304 00000000 00000005 4fe5c80a 14151617"
        )

    def test_checksum(self) -> None:
        packet = pings().next_packet
        checksum = zlib.crc32(packet[:16] + packet[20:])
        self.assertEqual(HEADER.unpack_from(packet), (MAGIC, SESSION, 0, checksum))

    @given(st.integers(SMALLEST, 3000) | st.just(LARGEST))
    def test_size(self, size: int) -> None:
        packet = pings(size=size).next_packet
        self.assertEqual(len(packet), size)
        self.assertEqual(packet[20:], bytes(offset % 256 for offset in range(20, size)))

    def test_wrong_sizes(self) -> None:
        for size in (-1, 0, SMALLEST - 1, LARGEST + 1):
            self.assertRaises(ValueError, pings, size=size)

    def test_numbers(self) -> None:
        run = pings()
        for number in range(3):
            self.assertEqual(run.next_packet, run.packet(number))
            self.assertEqual(run.sent(1.0), number)


class Recognizing(SynchronousTestCase):
    def test_whole(self) -> None:
        run = pings(10)
        for number in range(10):
            self.assertEqual(run.recognize(run.packet(number)), (number, ""))

    def test_any_flipped_bit(self) -> None:
        """Every bit of every packet, the sequence number's as well."""
        run = pings(20, size=24)
        for number in range(20):
            for bit in range(24 * 8):
                found = run.recognize(flip(run.packet(number), bit))
                self.assertEqual(found, (number, f"bit {bit} flipped"))

    @given(st.integers(0, 999), st.integers(SMALLEST, 300), st.data())
    def test_two_flipped_bits(self, number: int, size: int, data: st.DataObject) -> None:
        run = pings(1000, size=size)
        bits = st.integers(0, size * 8 - 1)
        wrong = data.draw(st.lists(bits, min_size=2, max_size=2, unique=True))
        found = run.recognize(flip(run.packet(number), *wrong))
        self.assertEqual(found, (number, "2 bits flipped"))

    def test_much_wrong_in_the_filler(self) -> None:
        run = pings(3)
        packet = run.packet(2)
        self.assertEqual(run.recognize(packet[:40] + bytes(24)), (2, "92 bits flipped"))

    def test_other_lengths(self) -> None:
        run = pings(3)
        packet = run.packet(2)
        self.assertEqual(run.recognize(packet[:-1]), (2, "63 bytes came back of 64"))
        self.assertEqual(run.recognize(packet[:20]), (2, "20 bytes came back of 64"))
        self.assertEqual(run.recognize(packet + b"x"), (2, "65 bytes came back of 64"))
        self.assertIsNone(run.recognize(packet[:19]))

    def test_large(self) -> None:
        run = pings(3, size=LARGEST)
        packet = flip(run.packet(1), 500_000)
        self.assertEqual(run.recognize(packet), (1, "bit 500000 flipped"))

    @given(st.integers(0, 2**32 - 1).filter(lambda session: session != SESSION))
    def test_another_run(self, session: int) -> None:
        """However alike: undamaged, it is not ours."""
        other = pings(session=session)
        self.assertIsNone(pings(3).recognize(other.packet(1)))

    def test_not_sent_yet(self) -> None:
        self.assertIsNone(pings(3).recognize(pings().packet(3)))

    @given(st.binary(max_size=100), st.integers(0, 5))
    def test_anything(self, data: bytes, sent: int) -> None:
        self.assertIsNone(pings(sent).recognize(data))


class Replies(SynchronousTestCase):
    def reply(self, run: Pings, number: int, now: float, *bits: int) -> Reply:
        reply = run.received(flip(run.packet(number), *bits), now)
        assert reply is not None
        return reply

    def test_in_time(self) -> None:
        run = pings(1)
        self.assertEqual(self.reply(run, 0, 0.25), Reply(0, 64, 0.25, False, False, False, ""))
        self.assertEqual((run.count(Fate.RECEIVED), run.answered, run.loss), (1, 1, 0.0))

    def test_just_in_time(self) -> None:
        run = pings(2, wait=0.5)
        self.assertFalse(self.reply(run, 0, 0.5).late)
        self.assertTrue(self.reply(run, 1, 1.5001).late)

    def test_late(self) -> None:
        """It is not the next packet's; it was lost until it came."""
        run = pings(2, wait=0.5)
        self.assertEqual(run.expire(0.6), [0])
        self.assertEqual((run.count(Fate.LOST), run.loss), (1, 1.0))
        reply = self.reply(run, 0, 1.1)
        self.assertEqual((reply.sequence, reply.late, reply.duplicate), (0, True, False))
        self.assertEqual((run.count(Fate.LOST), run.count(Fate.LATE), run.waiting), (0, 1, 1))
        self.assertEqual((run.answered, run.loss, run.round_trips.count), (1, 0.0, 0))

    def test_duplicates(self) -> None:
        run = pings(1)
        self.reply(run, 0, 0.1)
        self.assertTrue(self.reply(run, 0, 0.2).duplicate)
        self.assertTrue(self.reply(run, 0, 9.0).late)
        self.assertEqual((run.duplicates, run.answered, run.round_trips.count), (2, 1, 1))

    def test_order(self) -> None:
        run = pings(4, wait=60)
        orders = [self.reply(run, number, 5.0).out_of_order for number in (1, 0, 3, 2, 1)]
        self.assertEqual(orders, [False, True, False, True, False])
        self.assertEqual((run.out_of_order, run.duplicates), (2, 1))

    def test_corrupted(self) -> None:
        run = pings(2)
        self.assertEqual(self.reply(run, 1, 1.5, 131).corruption, "bit 131 flipped")
        self.assertEqual((run.corrupted, run.count(Fate.RECEIVED)), (1, 1))
        self.assertEqual([each.corrupted for each in run.packets], [False, True])

    def test_strays(self) -> None:
        run = pings(1)
        for data in (b"", b"hello", bytes(64), pings(session=1).packet(0)):
            self.assertIsNone(run.received(data, 0.1))
        self.assertEqual((run.strays, run.waiting), (4, 1))


class Errors(SynchronousTestCase):
    def test_quoted(self) -> None:
        run = pings(3)
        self.assertEqual(run.failed(run.packet(1)), 1)
        self.assertEqual((run.errors, run.count(Fate.LOST), run.waiting), (1, 1, 2))

    def test_quoted_in_part(self) -> None:
        """A router returns as much of a packet as it likes to (RFC 1812, section 4.3.2.3)."""
        run = pings(3)
        self.assertEqual(run.failed(run.packet(1)[:30]), 1)
        self.assertEqual(run.failed(run.packet(1)[:8]), 0)

    def test_not_quoted(self) -> None:
        """The oldest that waits is taken for it."""
        run = pings(3)
        run.received(run.packet(0), 0.1)
        self.assertEqual([run.failed(), run.failed(), run.failed()], [1, 2, None])
        self.assertEqual((run.errors, run.count(Fate.LOST)), (3, 2))

    def test_replied_all_the_same(self) -> None:
        run = pings(1)
        run.failed(run.packet(0))
        run.received(run.packet(0), 0.5)
        self.assertEqual((run.count(Fate.LOST), run.count(Fate.RECEIVED)), (0, 1))
        self.assertEqual(run.failed(run.packet(0)), 0)
        self.assertEqual((run.count(Fate.RECEIVED), run.errors), (1, 2))


class Expiry(SynchronousTestCase):
    def test_moments(self) -> None:
        run = pings(3, wait=0.5)
        self.assertEqual(run.next_expiry, 0.5)
        self.assertEqual(run.expire(0.499), [])
        self.assertEqual(run.expire(0.5), [0])
        self.assertEqual(run.next_expiry, 1.5)
        run.received(run.packet(1), 1.1)
        self.assertEqual(run.next_expiry, 2.5)
        self.assertEqual(run.expire(100), [2])
        self.assertIsNone(run.next_expiry)
        self.assertEqual(run.expire(200), [])

    def test_none_sent(self) -> None:
        run = pings()
        self.assertIsNone(run.next_expiry)
        self.assertEqual((run.expire(1.0), run.loss), ([], 0.0))


class Memory(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(module, "KEPT", 10)

    def test_bounded(self) -> None:
        run = pings(wait=0.5)
        for number in range(100):
            run.sent(float(number))
            run.expire(number + 0.5)
        self.assertEqual([each.sequence for each in run.packets], list(range(90, 100)))
        self.assertEqual((run.sent_count, run.count(Fate.LOST)), (100, 100))
        self.assertIsNone(run.received(run.packet(89), 100.0))
        self.assertIsNotNone(run.received(run.packet(90), 100.0))
        self.assertEqual((run.strays, run.count(Fate.LATE)), (1, 1))

    def test_who_waits_is_remembered(self) -> None:
        run = pings(100, wait=1000)
        self.assertEqual(len(run.packets), 100)
        self.assertEqual(run.waiting, 100)


class Figures(SynchronousTestCase):
    def test_as_dict(self) -> None:
        run = pings(4, wait=0.5)
        run.received(run.packet(0), 0.01)
        run.received(run.packet(0), 0.02)
        run.received(flip(run.packet(1), 200), 1.03)
        run.expire(2.6)
        run.failed()
        self.assertEqual(
            json.loads(json.dumps(run.as_dict())),
            {
                "sent": 4,
                "waiting": 0,
                "received": 2,
                "late": 0,
                "lost": 2,
                "loss_percent": 50.0,
                "duplicates": 1,
                "out_of_order": 0,
                "corrupted": 1,
                "errors": 1,
                "strays": 0,
                "rtt_min_ms": 10.0,
                "rtt_avg_ms": 20.0,
                "rtt_max_ms": 30.0,
                "rtt_mdev_ms": 10.0,
                "rtt_p50_ms": 10.0,
                "rtt_p90_ms": 30.0,
                "rtt_p99_ms": 30.0,
                "jitter_ms": 1.25,
            },
        )

    def test_without_replies(self) -> None:
        figures = pings(1).as_dict()
        self.assertEqual((figures["waiting"], figures["rtt_avg_ms"]), (1, None))


Act = tuple[str, int, float]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "reply", "reply", "damaged", "error", "expire"]),
        st.integers(0, 15),
        st.floats(0, 0.7),
    ),
    max_size=80,
)


def play(acts: list[Act], expire: Callable[[Pings, float], object]) -> tuple[Pings, dict[str, Any]]:
    """Does ``acts`` with a run, and keeps the books in the plainest way."""
    run = pings(wait=1.0)
    rng = random.Random(len(acts))
    now = 0.0
    sent: dict[int, float] = {}
    first: dict[int, float] = {}
    failed: set[int] = set()
    books = {"replies": 0, "strays": 0, "errors": 0, "corrupted": 0}
    for name, number, step in acts:
        now += step
        if name == "send":
            sent[run.sent(now)] = now
        elif name == "error":
            found = run.failed()
            books["errors"] += 1
            if found is not None:
                failed.add(found)
        elif name == "expire":
            expire(run, now)
        else:
            packet = run.packet(number)
            if name == "damaged":
                packet = flip(packet, rng.randrange(64 * 8))
            reply = run.received(packet, now)
            if number in sent:
                books["replies"] += 1
                books["corrupted"] += name == "damaged"
                assert reply is not None
                assert reply.sequence == number
                assert reply.duplicate == (number in first)
                assert reply.rtt == now - sent[number]
                first.setdefault(number, now)
            else:
                assert reply is None
                books["strays"] += 1
    in_time = {number for number, at in first.items() if at <= sent[number] + 1.0}
    run.expire(now)
    gone = {number for number, at in sent.items() if at + 1.0 <= now or number in failed}
    return run, {
        **books,
        "sent": len(sent),
        "received": len(in_time),
        "late": len(first) - len(in_time),
        "lost": len(gone - set(first)),
        "duplicates": books["replies"] - len(first),
    }


class Accounting(SynchronousTestCase):
    """In any order of sending, replies, copies, damage and errors, the counts add up."""

    @given(ACTS)
    def test_adds_up(self, acts: list[Act]) -> None:
        run, books = play(acts, lambda run, now: run.expire(now))
        figures = run.as_dict()
        self.assertEqual(
            figures["sent"], sum(figures[fate.value] for fate in Fate), "each has one fate"
        )
        self.assertEqual(
            books.pop("replies"), figures["received"] + figures["late"] + figures["duplicates"]
        )
        self.assertEqual({name: figures[name] for name in books}, books)
        self.assertEqual(run.round_trips.count, figures["received"])
        for packet in run.packets:
            answered = packet.fate in (Fate.RECEIVED, Fate.LATE)
            self.assertEqual(packet.rtt is not None, answered)

    @given(ACTS)
    def test_when_it_is_looked_at_changes_nothing(self, acts: list[Act]) -> None:
        """A busy machine notices later that a packet is lost. The figures are the same."""
        quiet = [each for each in acts if each[0] != "error"]  # which goes by who waits
        often, _ = play(quiet, lambda run, now: run.expire(now))
        seldom, _ = play(quiet, lambda run, now: None)
        self.assertEqual(often.as_dict(), seldom.as_dict())
        self.assertEqual(often.packets, seldom.packets)
