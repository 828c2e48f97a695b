# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``twistd netlab``: what it prints, serves, refuses to start with, and leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest

from netlab.transport.endpoints import has_ipv6
from tests.system.peers import (
    can_connect,
    connect,
    frame,
    free_port,
    receive_all,
    receive_frame,
    request,
    send_and_end,
)
from tests.system.processes import LOOPBACK, TWISTD, Ended, Program, Server, SystemCase, eventually

IPV6 = has_ipv6()


class Serving(SystemCase):
    def test_defaults(self) -> None:
        """Without options: the loopback addresses, and a table that says so."""
        if any(can_connect(("127.0.0.1", port)) for port in (8032, 8080)):
            raise SkipTest("somebody listens on port 8032 or 8080 already")
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder)}
        for words in (["--grace=1"], ["message"]):
            server = self.start(*words, service="", env=environment)
            server.wait_until_up()
            hosts = ["127.0.0.1", *(["::1"] if IPV6 else [])]
            self.assertEqual(server.rows[: len(hosts)], [(host, 8032) for host in hosts])
            for host in hosts:
                self.assertEqual(send_and_end((host, 8032), frame(b"hello")), frame(b"hello"))
            self.assert_stops_cleanly(server)

    def test_table(self) -> None:
        """Each listener with its service, its address and a line to try, in 80 columns."""
        listen = [LOOPBACK, "unix:s:mode=660"]
        if IPV6:
            listen.append(r"tcp6:0:interface=\:\:1")
        server = self.serve(*(f"--listen={each}" for each in listen))
        table = server.out[server.out.index("service ") :].splitlines()[: len(listen) + 1]
        self.assertEqual(table[0].split(), ["service", "listens", "on", "try"])
        for line, row in zip(table[1:], server.rows, strict=True):
            self.assertLessEqual(len(line), 80)
            where = f"unix:{row}" if isinstance(row, str) else f":{row[1]} "
            self.assertTrue(line.startswith("message "))
            self.assertIn(where, line)
            self.assertRegex(line, r" netlab send \S+ hello$")
        self.assert_stops_cleanly(server)
        self.assertNotIn("note:", server.out)
        self.assertFalse((self.folder / "s").exists())

    def test_all_addresses(self) -> None:
        """``tcp:0`` without an interface is said to be every address."""
        server = self.serve("--listen=tcp:0")
        self.assertRegex(server.out, r"(?m)^message +port \d+, all addresses +netlab send tcp:loc")
        self.assert_stops_cleanly(server)

    def test_half_close(self) -> None:
        """``printf ... | nc -N``: request, end, and the answer still comes.

        Stock Twisted loses every answer, 200 of 200: it closes at the peer's end.
        """
        server = self.serve()
        answers = [send_and_end(server.address, frame(b"hello")) for _ in range(200)]
        self.assertEqual(answers, [frame(b"hello")] * 200)
        self.assert_stops_cleanly(server)

    def test_application(self) -> None:
        """``--app`` finds a module in the current folder."""
        text = """
            from netlab import MessageProtocol
            class Shout(MessageProtocol):
                def message_received(self, message):
                    return message.upper()
        """
        self.write_app("shout", re.sub(r"(?m)^ {12}", "", text))
        server = self.serve("--app=shout:Shout", "--framing=netstring")
        self.assertEqual(send_and_end(server.address, b"5:hello,"), b"5:HELLO,")
        self.assert_stops_cleanly(server)

    def test_twist(self) -> None:
        """``twist netlab`` runs the same."""
        twist = str(Path(TWISTD).with_name("twist"))
        server = Server([twist, "netlab", "message", "--listen", LOOPBACK], self.folder)
        self.addCleanup(server.kill)
        server.wait_until_up()
        self.assertEqual(send_and_end(server.address, frame(b"hello")), frame(b"hello"))
        self.assertIn(server.stop(), (0, -signal.SIGTERM))
        self.assert_no_traceback(server)


class Starting(SystemCase):
    """What ends the start ends it with one line, status 1 and nothing left behind."""

    def setUp(self) -> None:
        super().setUp()
        self.taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.taken.close)
        self.busy = f"tcp:{self.taken.getsockname()[1]}:interface=127.0.0.1"

    def assert_one_line(self, ended: Program | Ended, pattern: str) -> None:
        """It ended with status 1 and one line, which matches ``pattern``."""
        self.assertEqual(ended.status, 1, str(ended))
        self.assertRegex(ended.err, rf"\Anetlab: [^\n]*{pattern}[^\n]*\n\Z")
        self.assertNotIn("Traceback", ended.out)

    def test_busy_port(self) -> None:
        """A busy port stops the start, also of the listener that would have worked.

        Stock Twisted's ``StreamServerEndpointService`` logs it and runs on, deaf.
        """
        other = free_port()
        words = ["netlab", "message", "--listen", f"tcp:{other}:interface=127.0.0.1"]
        words += ["--listen", self.busy]
        ended = self.run_program(TWISTD, "-n", "--pidfile=a.pid", *words)
        self.assert_one_line(ended, f"cannot listen on {self.busy}: address already in use")
        self.assertFalse(can_connect(("127.0.0.1", other)))
        ended = self.run_program(TWISTD, "--pidfile=b.pid", "--logfile=b.log", *words)
        self.assertEqual(ended.process.returncode, 1, str(ended))
        # twistd hands on the first 100 bytes of it, and says where the whole line is.
        self.assertIn(f"cannot listen on {self.busy}: ", ended.err)
        self.assertNotIn("Traceback", ended.err)
        # The parent is told a moment before the child has ended.
        eventually(lambda: not can_connect(("127.0.0.1", other)), "nobody listens")
        eventually(lambda: not list(self.folder.glob("*.pid")), "no pidfile is left")
        log = (self.folder / "b.log").read_text()
        self.assertIn(f"cannot listen on {self.busy}: address already in use", log)
        self.assertNotIn("Traceback", log)

    def test_bad_options(self) -> None:
        """Each mistake is told in one line that says what would be right."""
        self.write_app("good", "from netlab import MessageProtocol as M\nclass Shout(M): ...")
        self.write_app("ugly", "def broken(:\n")
        self.write_app("rude", "raise RuntimeError('on purpose')")
        self.write_app("poor", "import no_such_library")
        (self.folder / "bad.pem").write_text("not a certificate")
        wrong = {
            "--framing=lengthprefix": "length-prefix",
            "--framing=length-prefix:size=3": "size",
            "--framing=length-prefix:size=four": "whole number",
            "--framing=length-prefix:max_message=1073741824:size=1": "",
            "--app=shout": "MODULE:CLASS",
            "--app=missing:Shout": "no module 'missing'",
            "--app=good:Shuot": "has no 'Shuot'; it has Shout",
            "--app=good:M": "subclass",
            "--app=os:getcwd": "subclass",
            "--app=ugly:Shout": "SyntaxError.*ugly.py, line 1",
            "--app=rude:Shout": "RuntimeError.*rude.py, line 1",
            "--app=poor:Shout": "'no_such_library', which is missing",
            "--max-message=0": "whole number",
            "--max-connections=many": "whole number",
            "--max-connections=99999999": "ulimit",
            "--idle-timeout=-1": "seconds",
            "--frame-timeout=nan": "seconds",
            "--write-timeout=soon": "seconds",
            "--grace=inf": "seconds",
            "--grace=-1": "seconds",
            "--close-timeout=0": "close_timeout",
            "--high-water=1": "low_water",
            "--log-level=loud": "debug, info",
            "--no-such-option": "no-such-option",
            "--listen=8032": "tcp:8032",
            "--listen=tcp:http": "number",
            "--listen=tcp:70000": "70000",
            "--listen=tcp:-1": "-1",
            "--listen=tcp": "write for example",
            "--listen=tpc:8032": "no endpoint type 'tpc'",
            "--listen=tcp:0:interfaec=127.0.0.1": "argument",
            "--listen=tcp:0:interface=192.0.2.1": "cannot assign",
            "--listen=unix:/no/such/folder/socket": "no such file",
            "--listen=ssl:0:privateKey=no.pem:certKey=no.pem": "no such file.*no.pem",
            "--listen=ssl:0:privateKey=bad.pem:certKey=bad.pem": "",
            "--listen=ssl:0": "",
            "--listen=systemd:domain=INET:index=0": "",
        }

        commands = []
        for option in wrong:
            listen = [] if option.startswith("--listen") else ["--listen", LOOPBACK]
            commands.append(["-n", "--pidfile=", "netlab", "message", *listen, option])
        failed = []
        for option, ended in zip(wrong, self.run_twistd(commands), strict=True):
            try:
                self.assert_one_line(ended, wrong[option])
            except self.failureException as error:
                failed.append(f"{option}: {error}")
        self.assertEqual(failed, [], "\n\n".join(failed))

    def test_one_line_whatever_was_raised(self) -> None:
        """An application's error of many lines is still told in one."""
        self.write_app("rude", "raise RuntimeError('on\\n\\x1b[31mpurpose')")
        words = ["netlab", "message", "--app=rude:Shout", "--listen", LOOPBACK]
        ended = self.run_program(TWISTD, "-n", "--pidfile=", *words)
        self.assert_one_line(ended, "RuntimeError.*rude.py, line 1")
        self.assertNotIn("\x1b", ended.err)

    def test_bad_service(self) -> None:
        """A service that does not exist."""
        ended = self.run_program(TWISTD, "-n", "--pidfile=", "netlab", "mesage")
        self.assert_one_line(ended, "mesage")

    def test_daemon(self) -> None:
        """Without ``-n`` it serves in the background until SIGTERM."""
        port = free_port()
        pidfile, logfile = self.folder / "n.pid", self.folder / "n.log"
        started = self.run_program(
            *(TWISTD, f"--pidfile={pidfile}", f"--logfile={logfile}", "netlab", "message"),
            f"--listen=tcp:{port}:interface=127.0.0.1",
        )
        self.assertEqual(started.process.returncode, 0, str(started))
        self.assertEqual(started.err, "")
        pid = int(pidfile.read_text())
        self.addCleanup(_kill, pid)
        # The parent has ended only after the child listens.
        self.assertEqual(send_and_end(("127.0.0.1", port), frame(b"hello")), frame(b"hello"))
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not pidfile.exists(), "the daemon removes its pidfile")
        self.assertFalse(can_connect(("127.0.0.1", port)))
        log = logfile.read_text()
        self.assertIn(f"message listens on 127.0.0.1:{port}", log)
        self.assertNotIn("Traceback", log)


class Talking(SystemCase):
    """Clients that know nothing of netlab."""

    def test_stdlib(self) -> None:
        """A blocking socket and ``struct``: many messages of many sizes on one connection."""
        server = self.serve()
        messages = [os.urandom(size) for size in (0, 1, 255, 65535, 65536, 1 << 20, 3)]
        with connect(server.address) as sock:
            for message in messages:
                self.assertEqual(request(sock, message), message)
            sock.sendall(b"".join(frame(b"%d" % number) for number in range(1000)))
            for number in range(1000):
                self.assertEqual(receive_frame(sock), b"%d" % number)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(receive_all(sock), b"")
        self.assert_stops_cleanly(server)

    def test_int32_string_receiver(self) -> None:
        """Twisted's own ``Int32StringReceiver``, in a process of its own."""
        code = """
import sys
from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import Int32StringReceiver

class Client(Int32StringReceiver):
    received = []
    def connectionMade(self):
        for number in range(100):
            self.sendString(b"%d" % number * number)
    def stringReceived(self, string):
        self.received.append(string)
        if len(self.received) == 100:
            self.transport.loseConnection()
    def connectionLost(self, reason=connectionDone):
        good = self.received == [b"%d" % number * number for number in range(100)]
        print("all right" if good else self.received, flush=True)
        reactor.stop()

connectProtocol(clientFromString(reactor, sys.argv[1]), Client())
reactor.run()
"""
        server = self.serve()
        client = self.run_program(sys.executable, "-c", code, f"tcp:127.0.0.1:{server.port}")
        self.assertEqual(client.out, "all right\n", str(client))
        self.assert_stops_cleanly(server)

    def test_erlang(self) -> None:
        """Erlang's ``{packet, 4}``: the same framing in its own words."""
        if shutil.which("erl") is None:
            raise SkipTest("erl is not installed")
        server = self.serve()
        code = (
            '{ok, S} = gen_tcp:connect("127.0.0.1", ' + str(server.port) + ", "
            "[binary, {packet, 4}, {active, false}], 20000), "
            'ok = gen_tcp:send(S, "hello"), {ok, <<"hello">>} = gen_tcp:recv(S, 0, 20000), '
            "Big = binary:copy(<<7>>, 300000), "
            "ok = gen_tcp:send(S, Big), {ok, Big} = gen_tcp:recv(S, 0, 20000), "
            'io:format("all right~n"), halt(0).'
        )
        client = self.run_program("erl", "-noshell", "-noinput", "-eval", code)
        self.assertIn("all right", client.out, str(client))
        self.assert_stops_cleanly(server)

    def test_netcat(self) -> None:
        """The line that everyone tries first: ``printf ... | nc -N ... | xxd``."""
        if shutil.which("nc") is None or shutil.which("xxd") is None:
            raise SkipTest("nc or xxd is not installed")
        if "-N" not in subprocess.run(["nc", "-h"], capture_output=True, text=True).stderr:
            raise SkipTest("this nc has no -N")
        server = self.serve()
        line = rf"printf '\0\0\0\5hello' | nc -N 127.0.0.1 {server.port} | xxd -p"
        ended = self.run_program("sh", "-c", line)
        self.assertEqual(ended.out, "0000000568656c6c6f\n", str(ended))
        self.assert_stops_cleanly(server)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
