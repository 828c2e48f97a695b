# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from netlab.ledger.capture import Capture
from netlab.ledger.lines import Ledger
from netlab.ledger.output import Output
from netlab.ledger.records import DATAGRAM, LOST, OPENED, Connection, Format, Record
from netlab.ledger.writer import RecordFile
from tests.ledger.reading import lines, sections

PEER, HOST = ("192.0.2.1", 4711), ("192.0.2.2", 8007)


class Disk:
    """A ``RecordFile`` that takes as many records as it is told."""

    def __init__(self, form: Format, footer: Callable[[], bytes]) -> None:
        self.content = form.header()
        self.footer = footer
        self.takes = 1_000_000
        self.is_ready = True
        self.cut = 0

    def ready(self) -> bool:
        return self.is_ready

    def write(self, records: Sequence[bytes]) -> int:
        taken = records[: self.takes]
        self.content += b"".join(taken)
        return len(taken)

    def close(self) -> int:
        self.content += self.footer()
        return self.cut


def datagram(index: int, time: Any = 5) -> Record:
    return (DATAGRAM, 1, time, "in", PEER, HOST, b"x", 1, "received", {"index": index})


class OutputCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.errors: list[str] = []
        self.pauses = 0

    def open(self, form: Format) -> tuple[Output, Disk]:
        disks: list[Disk] = []

        def open_file(footer: Callable[[], bytes]) -> RecordFile:
            disks.append(Disk(form, footer))
            return cast(RecordFile, disks[0])

        output = Output(form, open_file, self.errors.append, lambda: 77)
        return output, disks[0]

    def pause(self) -> None:
        self.pauses += 1


class InLedger(OutputCase):
    def said(self, disk: Disk) -> list[int | str]:
        """Indices of datagrams, and ``"N"`` where N are missing."""
        return [
            str(line["lost_records"]) if "lost_records" in line else line["index"]
            for line in lines(disk.content)
        ]

    def test_written(self) -> None:
        output, disk = self.open(Ledger())
        output.write([datagram(1), datagram(2)], self.pause)
        output.write([], self.pause)
        output.close()
        self.assertEqual(self.said(disk), [1, 2])
        self.assertEqual((output.failed, self.errors), (0, []))

    def test_only_datagrams(self) -> None:
        output, disk = self.open(Ledger())
        opened = (OPENED, 0, 5, Connection(PEER, HOST, 1))
        output.write([opened, datagram(1), (LOST, 0, 0, 9), opened, datagram(2)], self.pause)
        disk.is_ready = False
        output.write([opened], self.pause)
        output.close()
        self.assertEqual(self.said(disk), [1, 2])
        self.assertEqual(output.failed, 0)

    def test_lost_in_the_queue(self) -> None:
        """It is said where it happened, also at the end; the disk did not fail."""
        output, disk = self.open(Ledger())
        output.write([datagram(1), (LOST, 0, 2, 0), (LOST, 0, 1, 5), datagram(2)], self.pause)
        output.write([(LOST, 0, 4, 0)], self.pause)
        self.assertEqual(self.said(disk), [1, "3", 2])
        output.close()
        self.assertEqual(self.said(disk), [1, "3", 2, "4"])
        self.assertEqual(output.failed, 0)

    def test_disk_fails(self) -> None:
        """What it did not take, and what was lost before that, is said once it works."""
        output, disk = self.open(Ledger())
        disk.takes = 1
        output.write([datagram(1), (LOST, 0, 2, 0), datagram(2), datagram(3)], self.pause)
        self.assertEqual(output.failed, 2)
        disk.is_ready = False
        output.write([datagram(4), (LOST, 0, 3, 0)], self.pause)
        self.assertEqual(output.failed, 3)
        disk.is_ready, disk.takes = True, 0
        output.write([datagram(5)], self.pause)
        self.assertEqual(output.failed, 4)
        disk.takes = 10
        output.write([datagram(6), datagram(7)], self.pause)
        self.assertEqual(self.said(disk), [1, "9", 6, 7])
        self.assertEqual(output.failed, 4)

    def test_cut_at_the_end(self) -> None:
        output, disk = self.open(Ledger())
        output.write([datagram(1)], self.pause)
        disk.cut = 1
        output.close()
        self.assertEqual(output.failed, 1)

    def test_impossible_records(self) -> None:
        """A caller's mistake is told once, and counted; it ends nothing."""
        output, disk = self.open(Ledger())
        output.write([datagram(1, "noon"), datagram(2), datagram(3, "\x1b"), datagram(4)], print)
        output.close()
        self.assertEqual(self.said(disk), ["1", 2, "1", 4])
        self.assertEqual(output.failed, 2)
        (error,) = self.errors
        self.assertTrue(error.startswith("ledger: a record cannot be written: TypeError: "), error)

    def test_pauses(self) -> None:
        """Others get to run after some work: many records, or long ones."""
        output, _ = self.open(Capture("test"))
        output.write([datagram(1)] * 10, self.pause)
        self.assertEqual(self.pauses, 0)
        output.write([datagram(1)] * 200, self.pause)
        many = self.pauses
        self.assertGreater(many, 4)
        data = bytes(60_000)
        output.write(
            [(DATAGRAM, 1, 5, "in", PEER, HOST, data, len(data), "received", {})] * 10, self.pause
        )
        self.assertGreater(self.pauses, many + 3)


class InCapture(OutputCase):
    def test_lost(self) -> None:
        """At the next packet, and all of them in the statistics at the end."""
        output, disk = self.open(Capture("test"))
        output.write([datagram(1), (LOST, 0, 2, 3), datagram(2)], self.pause)
        disk.takes = 0
        output.write([datagram(3)], self.pause)
        disk.takes = 9
        output.write([datagram(4), (LOST, 0, 1, 0)], self.pause)
        output.close()
        (section,) = sections(disk.content)
        self.assertEqual([packet.lost for packet in section.packets], [0, 5, 1])
        self.assertEqual(section.statistics, [{"time": 77, "received": 10, "dropped": 7}])
        self.assertEqual(output.failed, 1)
