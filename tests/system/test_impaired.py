# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``twistd netlab message`` with impairments: the seed, the capture, the key log and the end."""

from __future__ import annotations

import signal
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import trustme

from netlab.ledger.pcapng import whole_blocks
from tests.ledger.reading import RST, Packet, packets, streams
from tests.system.peers import connect, frame, receive_all, receive_frame
from tests.system.processes import LOOPBACK, TWISTD, Program, SystemCase, eventually

MESSAGES = [b"hello", b"", bytes(range(256)) * 20]


class Serving(SystemCase):
    def test_recorded(self) -> None:
        """All that is said is in the capture, decrypted; the key log has the client's secrets."""
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        made = authority.issue_cert("localhost")
        made.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "both.pem"))
        server = self.serve(
            f"--listen={LOOPBACK}",
            "--listen=ssl:0:privateKey=both.pem:certKey=both.pem:interface=127.0.0.1",
            "--impair=in delay 5ms segment 500 900 out delay 20ms 10ms segment 100 2000",
            "--seed=7",
            "--pcap=talk.pcapng",
            "--key-log=keys.txt",
        )
        context = ssl.create_default_context()
        authority.configure_trust(context)
        context.keylog_filename = str(self.folder / "client.txt")
        for row, secure in zip(server.rows, (False, True), strict=True):
            assert isinstance(row, tuple)
            sock: socket.socket = connect(row)
            if secure:
                sock = context.wrap_socket(sock, server_hostname="localhost")
            with sock:
                sock.sendall(b"".join(map(frame, MESSAGES)))
                self.assertEqual([receive_frame(sock) for _ in MESSAGES], MESSAGES)
                if isinstance(sock, ssl.SSLSocket):
                    sock.unwrap()  # with its goodbye; without it OpenSSL complains to who is gone
        self.assert_stops_cleanly(server)
        found = packets((self.folder / "talk.pcapng").read_bytes())
        said = b"".join(map(frame, MESSAGES))
        self.assertEqual(streams(found), [(said, said)] * 2)
        self.assertFalse([each for each in found if each.flags & RST])
        ours, theirs = (
            {line for line in (self.folder / name).read_text().splitlines() if line[0] != "#"}
            for name in ("keys.txt", "client.txt")
        )
        self.assertTrue(theirs)
        self.assertEqual(ours, theirs)

    def run_once(self, number: int, seed: int) -> list[tuple[str, int]]:
        """An impaired talk that ends in a reset; what the capture says the server sent."""
        capture = f"{number}.pcapng"
        server = self.serve(
            "--impair=segment 10 50 reset 2%", f"--seed={seed}", f"--pcap={capture}"
        )
        with connect(server.address) as sock:
            sock.sendall(frame(bytes(20_000)))
            came = 0
            try:
                while data := sock.recv(65536):
                    came += len(data)
            except ConnectionResetError:
                pass
            else:
                self.fail("no reset")
        self.assert_stops_cleanly(server)
        found = packets((self.folder / capture).read_bytes())
        sent = [each for each in found if each.source == server.address]
        self.assertEqual(sum(len(each.data) for each in sent), came)
        self.assertEqual(
            [bool(each.flags & RST) for each in sent], [False] * (len(sent) - 1) + [True]
        )
        self.assertIn("impairment", sent[-1].comment)
        return [_fate(each) for each in sent]

    def test_again(self) -> None:
        """Two runs with one seed do the same, piece by piece; the client sees the reset."""
        with ThreadPoolExecutor(2) as pool:
            first, second, other = pool.map(self.run_once, range(3), (7, 7, 8))
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)

    def test_drained(self) -> None:
        """SIGTERM: answers that are under way arrive, however late, and then the end."""
        server = self.serve(
            "--impair=delay 1s", "--close-timeout=0.1", "--grace=60", "--pcap=talk.pcapng"
        )
        capture = self.folder / "talk.pcapng"
        said = b"".join(map(frame, MESSAGES))

        def taken() -> bool:
            data = capture.read_bytes()
            found = packets(data[: whole_blocks(data)])
            return sum(len(each.data) for each in found) == len(said)

        with connect(server.address) as sock:
            sock.sendall(said)
            eventually(taken, "the server has taken all in")
            server.send_signal(signal.SIGTERM)
            self.assertEqual(receive_all(sock), said)
        self.assert_ended_cleanly(server)
        self.assertEqual(streams(packets(capture.read_bytes())), [(said, said)])


class Starting(SystemCase):
    def test_refused(self) -> None:
        """Each mistake is told in one line that says what would be right."""
        wrong = {
            "--impair=loss 10%": "'loss'",
            "--impair=delay": "delay",
            "--seed=7": "--seed: ",
            "--key-log=/nonexistent/x": "'/nonexistent/x': no such file or directory",
        }

        def ended(option: str) -> Program:
            words = ("netlab", "message", f"--listen={LOOPBACK}", option)
            return self.run_program(TWISTD, "-n", "--pidfile=", *words)

        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(ended, wrong))
        for each, said in zip(results, wrong.values(), strict=True):
            self.assertEqual(each.process.returncode, 1, str(each))
            self.assertRegex(each.err, r"\Anetlab: [^\n]*\n\Z")
            self.assertIn(said, each.err)
            self.assertNotIn("Traceback", each.out)


def _fate(packet: Packet) -> tuple[str, int]:
    return packet.comment, len(packet.data)
