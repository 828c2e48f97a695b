"""Captures as Wireshark reads them; skipped where its ``tshark`` is not installed."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import shutil
import subprocess

from netlab.ledger import open_recorder
from tests.ledger.support import PATIENCE, FileCase

PEER, HOST = ("192.0.2.1", 4711), ("192.0.2.2", 8007)
OTHER = ("2001:db8::7", 4712), ("2001:db8::8", 8032)
CHECKED = [
    option
    for name in ("ip.check_checksum", "udp.check_checksum", "tcp.check_checksum")
    for option in ("-o", f"{name}:TRUE")
]


class Wireshark(FileCase):
    if shutil.which("tshark") is None:
        skip = "tshark is not installed"

    def tshark(self, *options: str) -> list[str]:
        """The lines that tshark prints about the capture."""
        ended = subprocess.run(
            ["tshark", "-n", "-r", self.path("p"), *CHECKED, *options],
            capture_output=True,
            timeout=PATIENCE * 3,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout.decode().splitlines()

    def fields(self, *names: str, only: str = "frame") -> list[list[str]]:
        wanted = [option for name in names for option in ("-e", name)]
        return [line.split("\t") for line in self.tshark("-T", "fields", "-Y", only, *wanted)]

    def test_datagrams(self) -> None:
        recorder = open_recorder(pcap=self.path("p"))
        for peer, host in ((PEER, HOST), OTHER):
            for size in (0, 1, 1472, 65_507):
                recorder.datagram("in", peer, host, os.urandom(size), "received")
                recorder.datagram("out", peer, host, os.urandom(size), "dropped: loss")
        recorder.datagram("in", PEER, HOST, b"x", "delayed 73 ms, dupliziert: zu spät")
        recorder.close()
        seen = self.fields("udp.length", "frame.comment", "frame.packet_flags_direction")
        self.assertEqual(len(seen), 17)
        self.assertEqual(
            seen[6:8],
            [
                ["65515", "received", "0x00000001"],
                ["65515", "dropped: loss", "0x00000002"],
            ],
        )
        self.assertEqual(seen[16][1], "delayed 73 ms, dupliziert: zu spät")
        checksums = self.fields("udp.checksum.status", "ip.checksum.status")
        self.assertEqual(checksums, [["1", "1"]] * 8 + [["1", ""]] * 8 + [["1", "1"]])
        self.assertEqual(self.fields("frame.number", only="_ws.malformed || _ws.unreassembled"), [])

    def test_streams(self) -> None:
        """They reassemble, with no remark of Wireshark's on anything of TCP."""
        recorder = open_recorder(pcap=self.path("p"))
        sent = []
        for peer, host in ((PEER, HOST), OTHER):
            flow = recorder.stream(peer, host)
            there, back = os.urandom(200_003), os.urandom(70_000)
            flow.data("in", b"hello")
            flow.data("in", there, "a long one")
            for at in range(0, len(back), 1000):
                flow.data("out", back[at : at + 1000])
            flow.data("in", b"and bye")
            flow.ended("closed")
            sent.append((b"hello" + there + b"and bye", back))
        recorder.close()
        self.assertEqual(self.fields("frame.number", only="tcp.analysis.flags"), [])
        self.assertEqual({status for (status,) in self.fields("tcp.checksum.status")}, {"1"})
        for number, (there, back) in enumerate(sent):
            lines = self.tshark("-q", "-z", f"follow,tcp,raw,{number}")
            start = next(at for at, line in enumerate(lines) if line.startswith("Node 1")) + 1
            data = [line for line in lines[start:] if not line.startswith("=")]
            self.assertEqual(
                bytes.fromhex("".join(line for line in data if not line.startswith("\t"))), there
            )
            self.assertEqual(
                bytes.fromhex("".join(line for line in data if line.startswith("\t"))), back
            )

    def test_sections(self) -> None:
        """A capture that was continued, with losses told."""
        for index in range(2):
            recorder = open_recorder(pcap=self.path("p"))
            recorder.datagram("in", PEER, HOST, b"x", "received", time=index * 1_000_000_001)
            recorder.close()
        self.assertEqual(
            self.fields("frame.time_epoch", "frame.interface_name"),
            [["0.000000000", "netlab"], ["1.000000001", "netlab"]],
        )
