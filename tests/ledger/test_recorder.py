# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from datetime import datetime
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import netlab.ledger.recorder as module
from netlab.errors import ConfigurationError
from netlab.ledger import Direction, Flow, Recorder, open_recorder
from tests.ledger.reading import RST, Packet, lines, packets, sections, streams
from tests.ledger.support import PATIENCE, FileCase, run_python, wait_for

PEER, HOST = ("192.0.2.1", 4711), ("192.0.2.2", 8007)
OTHER = ("2001:db8::7", 4712), ("2001:db8::8", 8032)
DIRECTIONS: st.SearchStrategy[Direction] = st.sampled_from(("in", "out"))
PORTS = st.integers(0, 65535)


def ends(version: Any) -> st.SearchStrategy[tuple[str, int]]:
    return st.tuples(st.ip_addresses(v=version).map(str), PORTS)


def pairs() -> st.SearchStrategy[tuple[tuple[str, int], tuple[str, int]]]:
    return st.tuples(ends(4), ends(4)) | st.tuples(ends(6), ends(6))


def plain(*endpoints: tuple[str, int]) -> list[tuple[object, int]]:
    return [(ip_address(address), port) for address, port in endpoints]


class RecorderCase(FileCase):
    def open(self, ledger: str | None = "l", pcap: str | None = "p", **options: Any) -> Recorder:
        recorder = open_recorder(
            ledger and self.path(ledger),
            pcap and self.path(pcap),
            on_error=self.errors.append,
            **options,
        )
        self.addCleanup(recorder.close)
        return recorder

    def lines(self, name: str = "l") -> list[dict[str, Any]]:
        return lines(self.read(name))

    def packets(self, name: str = "p") -> list[Packet]:
        return packets(self.read(name))

    def writerless(self) -> None:
        """From here on no writer comes: what is recorded waits until it is closed."""
        self.patch(Recorder, "_wake", lambda recorder: None)


class Datagrams(RecorderCase):
    def test_both_files(self) -> None:
        """The same record, with the same time, and each file is closed whole."""
        recorder = self.open()
        recorder.datagram("in", PEER, HOST, b"ping", "received", index=1)
        recorder.datagram("out", PEER, HOST, b"pong!", "dropped: loss", index=2)
        recorder.datagram("out", PEER, HOST, b"", "sent", time=1_772_366_400_000_250_999)
        recorder.close()
        first, second, third = self.lines()
        self.assertEqual(
            list(second.items())[1:],
            [
                ("direction", "out"),
                ("peer", "192.0.2.1:4711"),
                ("host", "192.0.2.2:8007"),
                ("size", 5),
                ("fate", "dropped: loss"),
                ("index", 2),
            ],
        )
        self.assertEqual((first["direction"], first["size"], first["fate"]), ("in", 4, "received"))
        self.assertEqual(third["time"], "2026-03-01T12:00:00.000250Z")
        (section,) = sections(self.read("p"))
        self.assertEqual(
            [(each.direction, each.data, each.comment) for each in section.packets],
            [
                ("in", b"ping", "received"),
                ("out", b"pong!", "dropped: loss"),
                ("out", b"", "sent"),
            ],
        )
        for line, packet in zip((first, second, third), section.packets, strict=True):
            seconds = datetime.fromisoformat(line["time"]).timestamp()
            self.assertEqual(round(seconds * 1_000_000), packet.time // 1000)
        self.assertRegex(section.application, r"^netlab \d")
        (statistics,) = section.statistics
        self.assertEqual((statistics["received"], statistics["dropped"]), (3, 0))
        self.assertEqual((recorder.lost, self.errors), (0, []))

    def test_one_file(self) -> None:
        for ledger, pcap in (("l", None), (None, "p")):
            recorder = self.open(ledger, pcap)
            self.assertEqual(recorder.capturing, pcap is not None)
            recorder.datagram("in", PEER, HOST, b"ping", "received")
            recorder.close()
        self.assertEqual([line["size"] for line in self.lines()], [4])
        self.assertEqual([packet.data for packet in self.packets()], [b"ping"])

    def test_buffer_is_used_again(self) -> None:
        self.writerless()
        recorder = self.open()
        flow = recorder.stream(PEER, HOST)
        buffer = bytearray(b"one")
        recorder.datagram("in", PEER, HOST, buffer, "received")
        recorder.datagram("in", PEER, HOST, memoryview(buffer)[1:], "received")
        flow.data("in", buffer)
        buffer[:] = b"two"
        recorder.close()
        found = self.packets()
        self.assertEqual([each.data for each in found if each.data], [b"one", b"ne", b"one"])

    @settings(max_examples=25)
    @given(
        st.lists(
            st.tuples(
                DIRECTIONS,
                pairs(),
                st.binary(max_size=300),
                st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=20),
                st.integers(0, 1 << 62),
                st.integers(),
            ),
            max_size=12,
        )
    )
    def test_any(self, given: list[Any]) -> None:
        """What goes in comes back, from both."""
        with tempfile.TemporaryDirectory() as directory:
            ledger, pcap = Path(directory, "l"), Path(directory, "p")
            recorder = open_recorder(ledger, pcap)
            for direction, (peer, host), data, fate, time, index in given:
                recorder.datagram(direction, peer, host, data, fate, time, index=index)
            recorder.close()
            self.assertEqual(recorder.lost, 0)
            written, drawn = lines(ledger.read_bytes()), packets(pcap.read_bytes())
        for line, packet, each in zip(written, drawn, given, strict=True):
            direction, (peer, host), data, fate, time, index = each
            self.assertEqual((line["direction"], packet.direction), (direction, direction))
            source, target = (peer, host) if direction == "in" else (host, peer)
            self.assertEqual(plain(packet.source, packet.target), plain(source, target))
            shown = [line[end].rpartition(":") for end in ("peer", "host")]
            self.assertEqual(
                plain(*[(address.strip("[]"), int(port)) for address, _, port in shown]),
                plain(peer, host),
            )
            self.assertEqual((line["size"], packet.data), (len(data), data))
            self.assertEqual((line["fate"], packet.comment), (fate, fate))
            self.assertEqual((line["index"], packet.time), (index, time))


class Streams(RecorderCase):
    def test_stream(self) -> None:
        recorder = self.open()
        flow = recorder.stream(PEER, HOST)
        self.assertIsInstance(flow, Flow)
        flow.data("in", b"hello")
        flow.data("out", b"HELLO", "answered")
        flow.data("in", b"")
        flow.data("in", b"", "stalled 200 ms")
        flow.ended("closed", direction="out")
        flow.ended("again")
        flow.data("in", b"too late")
        recorder.close()
        found = self.packets()
        self.assertEqual(streams(found), [(b"hello", b"HELLO")])
        self.assertEqual(
            [each.comment for each in found[3:]],
            ["", "answered", "stalled 200 ms", "closed", "", ""],
        )
        self.assertEqual(found[6].source, HOST)
        self.assertEqual(self.lines(), [])

    def test_long(self) -> None:
        """In segments, of which the first has the comment."""
        recorder = self.open()
        flow = recorder.stream(*OTHER)
        data = os.urandom(300_001)
        flow.data("in", data, "sent in one piece")
        flow.data("out", data[::-1])
        flow.ended("cut", reset=True)
        recorder.close()
        found = self.packets()
        self.assertEqual(streams(found), [(data, data[::-1])])
        segments = [each for each in found if each.data]
        self.assertEqual([len(each.data) for each in segments[:5]], [65_000] * 4 + [40_001])
        self.assertEqual([bool(each.flags & 8) for each in segments[:5]], [False] * 4 + [True])
        self.assertEqual(segments[0].comment, "sent in one piece")
        self.assertEqual([each.comment for each in segments[1:]], [""] * 9)
        self.assertEqual((found[-1].flags & RST, found[-1].comment), (RST, "cut"))

    @settings(max_examples=25)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2), DIRECTIONS, st.binary(max_size=40), st.sampled_from((1, 2000))
            ),
            max_size=20,
        )
    )
    def test_any(self, given: list[Any]) -> None:
        """Connections at the same time stay apart, and each comes back whole."""
        with tempfile.TemporaryDirectory() as directory:
            pcap = Path(directory, "p")
            recorder = open_recorder(pcap=pcap)
            flows = [recorder.stream(("192.0.2.1", port), HOST) for port in (1, 2)]
            flows.append(recorder.stream(*OTHER))
            expected = [[b"", b""] for _ in flows]
            for number, direction, piece, times in given:
                data = piece * times
                flows[number].data(direction, data)
                expected[number][direction == "out"] += data
            for flow in flows:
                flow.ended()
            recorder.close()
            found = streams(packets(pcap.read_bytes()))
        self.assertEqual(found, [(there, back) for there, back in expected])

    def test_same_ports_again(self) -> None:
        """Another connection begins with another number, or a reader would mix the two."""
        recorder = self.open()
        times = iter((4_000, 5_000, 12_000, 13_000))
        self.patch(time, "time_ns", lambda: next(times, 99_000))
        first = recorder.stream(PEER, HOST)
        first.ended(reset=True)
        recorder.stream(PEER, HOST).ended()
        recorder.close()
        opened = [each for each in self.packets() if each.flags == 2]
        self.assertEqual([each.sequence for each in opened], [1, 3])

    def test_without_capture(self) -> None:
        recorder = self.open(pcap=None)
        flow = recorder.stream(PEER, HOST)
        flow.data("in", b"hello")
        flow.ended()
        recorder.close()
        self.assertEqual((self.read("l"), recorder.lost), (b"", 0))


class Bounds(RecorderCase):
    def test_records(self) -> None:
        """When more wait than may, new ones are lost: counted, and said where they were."""
        self.writerless()
        self.patch(module, "MAX_RECORDS", 10)
        recorder = self.open()
        for index in range(13):
            recorder.datagram("in", PEER, HOST, b"x", "received", index=index)
        self.assertEqual(recorder.lost, 3)
        recorder._drain()
        recorder.datagram("in", PEER, HOST, b"x", "received", index=13)
        recorder.close()
        found = self.lines()
        self.assertEqual([line.get("index") for line in found], [*range(10), None, 13])
        self.assertEqual(found[10], {"lost_records": 3})
        (section,) = sections(self.read("p"))
        self.assertEqual([each.lost for each in section.packets], [0] * 10 + [3])
        self.assertIn("3 records are missing", section.packets[-1].comment)
        self.assertEqual(section.statistics[0]["dropped"], 3)
        self.assertEqual((recorder.lost, self.errors), (3, []))

    def test_lost_at_the_end(self) -> None:
        self.writerless()
        self.patch(module, "MAX_RECORDS", 10)
        recorder = self.open()
        flow = recorder.stream(PEER, HOST)
        for _ in range(12):
            recorder.datagram("in", PEER, HOST, b"x", "received")
        flow.data("in", b"lost as well")
        recorder.close()
        self.assertEqual(self.lines()[9:], [{"lost_records": 3}])
        self.assertEqual(sections(self.read("p"))[0].statistics[0]["dropped"], 4)
        self.assertEqual(recorder.lost, 4)

    def test_payload(self) -> None:
        self.writerless()
        self.patch(module, "MAX_WAITING", 1000)
        recorder = self.open()
        for size in (600, 500, 400, 1, 0):
            recorder.datagram("in", PEER, HOST, bytes(size), "received")
        self.assertEqual(recorder.lost, 2)
        recorder._drain()
        recorder.datagram("in", PEER, HOST, bytes(1000), "received")
        recorder.close()
        self.assertEqual([len(each.data) for each in self.packets()], [600, 400, 0, 1000])

    def test_ledger_holds_no_payload(self) -> None:
        self.writerless()
        self.patch(module, "MAX_WAITING", 1000)
        recorder = self.open(pcap=None)
        recorder.datagram("in", PEER, HOST, bytes(60_000), "received")
        recorder.close()
        self.assertEqual([line["size"] for line in self.lines()], [60_000])

    def test_gap_in_a_stream(self) -> None:
        """What is lost of a connection is a gap in its numbers, not a shift."""
        self.writerless()
        self.patch(module, "MAX_RECORDS", 3)
        recorder = self.open()
        flow = recorder.stream(PEER, HOST)
        for piece in (b"one", b"two", b"lost", b"lost"):
            flow.data("in", piece)
        recorder._drain()
        flow.data("out", b"back")
        flow.data("in", b"six")
        recorder.close()
        found = [each for each in self.packets() if each.data]
        start = found[0].sequence
        self.assertEqual(
            [
                ((each.sequence - start) % (1 << 32), each.data)
                for each in found
                if each.source == PEER
            ],
            [(0, b"one"), (3, b"two"), (14, b"six")],
        )
        back = next(each for each in found if each.source == HOST)
        self.assertEqual((back.acknowledged - start, back.lost), (14, 2))

    def test_closed(self) -> None:
        recorder = self.open()
        recorder.close()
        recorder.datagram("in", PEER, HOST, b"x", "received")
        recorder.close()
        self.assertEqual((recorder.lost, self.read("l")), (1, b""))

    def test_close_while_much_waits(self) -> None:
        recorder = self.open()
        for index in range(5000):
            recorder.datagram("in", PEER, HOST, b"x" * 100, "received", index=index)
        recorder.close()
        self.assertEqual([line["index"] for line in self.lines()], list(range(5000)))
        self.assertEqual(len(self.packets()), 5000)
        self.assertEqual(recorder.lost, 0)

    def test_close_does_not_wait_for_ever(self) -> None:
        """Nobody reads the pipe: what could not be written in time is lost."""
        self.patch(module, "_CLOSE_WITHIN", 0.05)
        path, reader = self.fifo()
        recorder = open_recorder(ledger=path)
        for _ in range(3000):  # many times what the pipe holds
            recorder.datagram("in", PEER, HOST, b"x", "received", filling="x" * 200)
        wait_for(lambda: not recorder._idle and len(recorder._waiting) < 3000)
        recorder.close()
        self.assertGreater(recorder.lost, 1000)
        os.close(reader)  # and only now the writer can end
        writer = recorder._writer
        assert writer is not None
        writer.join(PATIENCE)
        self.assertFalse(writer.is_alive())


class Writer(RecorderCase):
    def test_writes_by_itself(self) -> None:
        """Again and again, without a close."""
        recorder = self.open()
        for number in range(1, 4):
            recorder.datagram("in", PEER, HOST, b"x", "received", number=number)
            wait_for(lambda number=number: len(self.lines()) == number)  # type: ignore[misc]
            wait_for(lambda number=number: len(self.packets()) == number)  # type: ignore[misc]

    def test_header_at_once(self) -> None:
        """Who follows the capture of a silent server sees an empty one, not nothing."""
        self.open()
        (section,) = sections(self.read("p"))
        self.assertEqual((section.packets, section.statistics), ([], []))

    def test_starts_with_the_first_record(self) -> None:
        before = threading.active_count()
        recorder = self.open()
        recorder.stream(PEER, HOST)
        self.assertEqual(threading.active_count(), before + 1)
        self.assertTrue(recorder._writer is not None and recorder._writer.daemon)
        recorder.close()
        self.assertEqual(threading.active_count(), before)

    def test_no_more_threads(self) -> None:
        """Then records wait, and the next one tries again."""
        start = threading.Thread.start
        self.patch(threading.Thread, "start", lambda thread: self.refuse())
        recorder = self.open()
        recorder.datagram("in", PEER, HOST, b"x", "received")
        self.assertIsNone(recorder._writer)
        self.patch(threading.Thread, "start", start)
        recorder.datagram("in", PEER, HOST, b"x", "received")
        wait_for(lambda: len(self.lines()) == 2)

    def refuse(self) -> None:
        raise RuntimeError("can't start new thread")

    def test_fork(self) -> None:
        """A daemon forks after its files are open; the child is the one that records."""
        code = """
import os, sys
from netlab.ledger import open_recorder
recorder = open_recorder(sys.argv[1], sys.argv[2])
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
recorder.datagram("in", ("192.0.2.1", 1), ("192.0.2.2", 2), b"x", "received")
recorder.close()
os._exit(0)
"""
        run_python(code, self.path("l"), self.path("p"))
        self.assertEqual((len(self.lines()), len(self.packets())), (1, 1))

    def test_two_recorders(self) -> None:
        first, second = self.open(), self.open("l2", "p2")
        for index in range(300):
            first.datagram("in", PEER, HOST, b"x", "received", index=index)
            second.datagram("out", PEER, HOST, b"xy", "sent", index=-index)
        first.close()
        second.close()
        self.assertEqual([line["index"] for line in self.lines()], list(range(300)))
        self.assertEqual([line["index"] for line in self.lines("l2")], [-n for n in range(300)])
        self.assertEqual({each.data for each in self.packets("p2")}, {b"xy"})

    def test_followed(self) -> None:
        """tail -F shows what happens while it happens, from one file to the next."""
        if shutil.which("tail") is None:
            self.skipTest("there is no tail here")
        recorder = self.open(pcap=None, max_bytes=2000)
        with (
            open(self.path("seen"), "wb") as seen,
            subprocess.Popen(
                ["tail", "-c", "+1", "-F", self.path("l")], stdout=seen, stderr=subprocess.DEVNULL
            ) as tail,
        ):
            try:
                for index in range(24):
                    recorder.datagram("in", PEER, HOST, b"x", "received", index=index)
                    if index % 4 == 3:
                        wait_for(lambda index=index: b'"index":%d}' % index in self.read("seen"))  # type: ignore[misc]
            finally:
                tail.terminate()
        self.assertIn("l.1", self.names())
        self.assertEqual([line["index"] for line in self.lines("seen")], list(range(24)))


class Files(RecorderCase):
    def test_modes(self) -> None:
        before = os.umask(0)
        try:
            self.open()
        finally:
            os.umask(before)
        for name in ("l", "p"):
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), 0o640)

    def test_refused(self) -> None:
        Path(self.path("diary")).write_text("Dear diary")
        for options, said in (
            ({}, "nothing to record to: give a ledger, a pcap file, or both"),
            ({"ledger": "-"}, "ledger '-': give the name of a file;"),
            ({"pcap": self.path("diary")}, "diary': it exists and is no capture;"),
            ({"ledger": self.path("diary")}, "diary': it exists and is no ledger;"),
            ({"ledger": self.path("a/b")}, "a/b': no such file or directory"),
            ({"ledger": self.path("x"), "pcap": self.path("x")}, "it is being written already"),
            ({"ledger": self.path("x"), "max_bytes": 0}, "max_bytes must be 1 or more, not 0"),
        ):
            arguments: dict[str, Any] = options
            with self.assertRaises(ConfigurationError) as caught:
                open_recorder(**arguments)
            self.assertIn(said, str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))
        # What had been opened before the other failed is free again.
        self.open("x", "p").close()

    def test_continued(self) -> None:
        for index in range(3):
            recorder = self.open()
            recorder.datagram("in", PEER, HOST, b"x", "received", index=index)
            recorder.close()
        self.assertEqual([line["index"] for line in self.lines()], [0, 1, 2])
        self.assertEqual([len(each.packets) for each in sections(self.read("p"))], [1, 1, 1])

    def test_after_a_crash(self) -> None:
        recorder = self.open()
        recorder.datagram("in", PEER, HOST, b"one", "received")
        recorder.close()
        for name in ("l", "p"):
            whole = self.read(name)
            Path(self.path(name)).write_bytes(whole + whole[:50])
        recorder = self.open()
        recorder.datagram("in", PEER, HOST, b"two", "received")
        recorder.close()
        self.assertEqual(len(self.lines()), 2)
        self.assertEqual([each.data for each in self.packets()], [b"one", b"two"])
        self.assertEqual(self.names(), ["l", "p"])

    def test_rotation(self) -> None:
        """Each file is whole by itself, and connections go on."""
        recorder = self.open(max_bytes=8000)
        flow = recorder.stream(PEER, HOST)
        for index in range(100):
            recorder.datagram("in", PEER, HOST, b"x", "received", index=index)
            flow.data("in", b"%02d" % index)
        recorder.close()
        kept = self.lines("l.1") + self.lines()
        self.assertEqual([line["index"] for line in kept], list(range(100))[-len(kept) :])
        found = []
        for name in ("p.1", "p"):
            self.assertLessEqual(len(self.read(name)), 8000)
            (section,) = sections(self.read(name))
            self.assertEqual(len(section.statistics), 1)
            found += section.packets
        self.assertEqual(section.statistics[0]["received"], 201)
        segments = [each for each in found if each.protocol == "tcp" and each.data]
        for before, after in pairwise(segments):
            self.assertEqual(after.sequence, (before.sequence + 2) % (1 << 32))
        self.assertEqual(segments[-1].data, b"99")

    def test_full_disk(self) -> None:
        """The other file goes on, the server too; it is told once."""
        recorder = open_recorder("/dev/full", self.path("p"), on_error=self.errors.append)
        for _ in range(5):
            recorder.datagram("in", PEER, HOST, b"x", "received")
            recorder.datagram("in", PEER, HOST, b"x", "received")
        wait_for(lambda: len(self.packets()) == 10)
        recorder.close()
        self.assertEqual(
            self.errors,
            ["ledger '/dev/full': no space left on device; until that changes records are lost"],
        )
        self.assertEqual(recorder.lost, 10)
        self.assertEqual([each.lost for each in self.packets()], [0] * 10)

    def test_full_capture(self) -> None:
        recorder = open_recorder(pcap="/dev/full", on_error=self.errors.append)
        self.assertEqual(len(self.errors), 1)  # the header
        recorder.stream(PEER, HOST).ended()
        recorder.close()
        self.assertEqual((len(self.errors), recorder.lost), (1, 2))

    def test_disk_with_a_limit(self) -> None:
        """A limit that comes and goes: no half record, and what is missing is said."""
        code = """
import resource, sys, time
import netlab.ledger.writer
from netlab.ledger import open_recorder

netlab.ledger.writer.RETRY = 0.0

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

errors = []
recorder = open_recorder(sys.argv[1], sys.argv[2], on_error=errors.append)
for round in range(4):
    if round:
        limit(round * 10_001)
    for index in range(200):
        recorder.datagram("in", ("192.0.2.1", 1), ("192.0.2.2", 2), b"x", "received", index=index)
    while recorder._waiting or not recorder._idle:
        time.sleep(0.001)
    limit(resource.RLIM_INFINITY)
recorder.datagram("in", ("192.0.2.1", 1), ("192.0.2.2", 2), b"x", "the last")
recorder.close()
print(recorder.lost, len(errors))
"""
        lost, errors = map(int, run_python(code, self.path("l"), self.path("p")).split())
        self.assertGreater(lost, 200)
        self.assertGreaterEqual(errors, 2)
        found = self.lines()
        missing = sum(line.get("lost_records", 0) for line in found)
        written = sum("fate" in line for line in found)
        self.assertEqual(written + missing, 801)
        self.assertEqual(found[-1]["fate"], "the last")
        (section,) = sections(self.read("p"))
        drawn = section.packets
        self.assertEqual(len(drawn) + sum(each.lost for each in drawn), 801)
        self.assertEqual(lost, max(missing, 801 - len(drawn)))
        (statistics,) = section.statistics
        self.assertEqual(statistics["received"], 801)
        self.assertEqual(statistics["dropped"], 801 - len(drawn))

    def test_version_unknown(self) -> None:
        """A copy of the source that was never installed has none."""
        from importlib import metadata

        def unknown(name: str) -> str:
            raise metadata.PackageNotFoundError(name)

        self.patch(metadata, "version", unknown)
        self.open()
        self.assertEqual(sections(self.read("p"))[0].application, "netlab")

    def test_pipe(self) -> None:
        """Wireshark may read the capture from a pipe of its own."""
        path, reader = self.fifo()
        recorder = open_recorder(pcap=path)
        recorder.datagram("in", PEER, HOST, b"x", "received")
        recorder.close()
        (section,) = sections(os.read(reader, 10_000))
        self.assertEqual([each.data for each in section.packets], [b"x"])
