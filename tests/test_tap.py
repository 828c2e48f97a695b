"""``twistd netlab`` without twistd: options in, services out."""

from __future__ import annotations

import io
import resource
import socket
import sys
from typing import Any

from twisted.application.service import IService
from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netlab import tap
from netlab.api import ApiFactory
from netlab.errors import NetlabError
from netlab.framing import LengthPrefix, Netstring
from netlab.message.protocol import Echo, MessageProtocol
from netlab.services.message import MessageOptions, message_service
from netlab.tap import (
    NetlabService,
    Options,
    StartUpFailed,
    make_message_service,
    makeService,
)
from netlab.transport import DEFAULT_GRACE, Limits, allocator, log, loopback
from tests.api.described import Calculator

reactor: Any = _reactor
LOOPBACK = "tcp:0:interface=127.0.0.1"
TIMES = ("idle-timeout", "frame-timeout", "write-timeout", "handshake-timeout")
COUNTS = ("max-connections", "max-per-address", "high-water", "low-water", "max-buffered")


class Shout(MessageProtocol):
    def message_received(self, message: bytes) -> bytes:
        return message.upper()


PACKED = ApiFactory(Calculator, codec="msgpack")


def patch_process(case: SynchronousTestCase) -> None:
    """Nothing of this process is changed by what is tested."""
    case.patch(log, "_threshold", LogLevel.info)
    case.patch(resource, "setrlimit", lambda what, limits: None)
    case.patch(tap, "keep_big_buffers", lambda: True)


class Parsing(SynchronousTestCase):
    def setUp(self) -> None:
        patch_process(self)
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)

    def parse(self, *words: str) -> MessageOptions:
        """The options of the message service."""
        options = MessageOptions()
        options.parseOptions(list(words))
        return options

    def ends(self, options: Any, *words: str) -> tuple[object, str]:
        """How parsing ends the program: its status, and what it said on standard error."""
        self.err.seek(0)
        self.err.truncate()
        with self.assertRaises(SystemExit) as ended:
            options.parseOptions(list(words))
        return ended.exception.code, self.err.getvalue()

    def assert_refused(self, *words: str, named: str, said: str = "") -> None:
        """One line, with the option's name, and status 1."""
        status, line = self.ends(MessageOptions(), *words)
        self.assertEqual(status, 1, words)
        self.assertRegex(line, r"\Anetlab: [^\n]+ \(see --help\)\n\Z")
        self.assertIn(named, line)
        self.assertIn(said, line)

    def test_defaults(self) -> None:
        """Without options: the documented defaults, everywhere."""
        options = self.parse()
        self.assertEqual(options.limits, Limits())
        self.assertEqual(options.framing, LengthPrefix())
        self.assertIs(options.app, Echo)
        self.assertEqual(options.listen, [])
        self.assertEqual(options["grace"], DEFAULT_GRACE)

    def test_every_limit(self) -> None:
        """Each limit has an option, and each option is heard."""
        words = ["--low-water=10", "--high-water=20", "--max-buffered=30", "--close-timeout=1.5"]
        words += [f"--{name}=7.5" for name in TIMES]
        words += ["--max-connections=8", "--max-per-address=9"]
        self.assertEqual(
            self.parse(*words).limits,
            Limits(
                max_connections=8,
                max_per_address=9,
                idle_timeout=7.5,
                frame_timeout=7.5,
                write_timeout=7.5,
                handshake_timeout=7.5,
                close_timeout=1.5,
                high_water=20,
                low_water=10,
                max_buffered=30,
            ),
        )
        self.assertEqual(len(words), len(Limits.__dataclass_fields__))

    def test_no_limit(self) -> None:
        """0 seconds is no limit; a grace of 0 is none at all."""
        for name in TIMES:
            options = self.parse(f"--{name}=0")
            self.assertIsNone(getattr(options.limits, name.replace("-", "_")))
        for text in ("0", "0.0", "-0"):
            self.assertEqual(self.service_of(self.parse(f"--grace={text}")).grace, 0.0)

    def service_of(self, options: MessageOptions) -> Any:
        """The service of these options."""
        return message_service(options)

    def test_others(self) -> None:
        """Framing, the longest message, the application, and short names."""
        options = self.parse("-f", "netstring", "--max-message=5", "-a", f"{__name__}:Shout")
        self.assertEqual(options.framing, Netstring(max_message=5))
        self.assertIs(options.app, Shout)
        options = self.parse("-l", "tcp:1", "--listen=tcp:2")
        self.assertEqual(options.listen, ["tcp:1", "tcp:2"])

    def test_bad_values(self) -> None:
        """What cannot be read is said with the option's name and what would be right."""
        for name in (*TIMES, "close-timeout", "grace"):
            for value in ("soon", "-1", "nan", "inf", "", "1 2"):
                self.assert_refused(
                    f"--{name}={value}", named=f"--{name}: ", said="a number of seconds"
                )
        for name in (*COUNTS, "max-message"):
            for value in ("many", "0", "-1", "1.5", ""):
                self.assert_refused(
                    f"--{name}={value}", named=f"--{name}: ", said="a whole number from 1 up"
                )

    def test_bad_limits(self) -> None:
        """What can be read and cannot work is said with the option's name, as it is typed."""
        for word, name in (
            ("--close-timeout=0", "close-timeout"),
            ("--high-water=10", "high-water"),
            ("--idle-timeout=1e12", "idle-timeout"),
            ("--max-buffered=99999999999", "max-buffered"),
            ("--max-connections=900000000", "max-connections"),
        ):
            self.patch(resource, "getrlimit", lambda what: (1024, 4096))
            self.assert_refused(word, named=name.replace("-", "_"))

    def test_grace_is_not_a_limit(self) -> None:
        """A grace of 0 means at once, so nobody is told that it means no limit."""
        _, line = self.ends(MessageOptions(), "--grace=soon")
        self.assertNotIn("0 for no limit", line)

    def test_bad_words(self) -> None:
        """A framing, an application or a level that is none; an unknown option."""
        for words, named, said in (
            (["--framing=netstrings"], "--framing: ", "did you mean 'netstring'"),
            (["--framing=line:delimiter="], "--framing: ", "one or more bytes"),
            (["--app=shout"], "--app: ", "MODULE:CLASS"),
            (["--app=no_such_module_:Shout"], "--app: ", "no module"),
            ([f"--app={__name__}:Shuot"], "--app: ", "it has Shout"),
            (["--log-level=loud"], "--log-level: ", "debug, info"),
            (["--idle-timout=5"], "idle-timout", ""),
            (["--listen"], "listen", ""),
            (["hello"], "", ""),
        ):
            self.assert_refused(*words, named=named, said=said)

    def test_unexpected_words(self) -> None:
        """A service that does not exist."""
        status, line = self.ends(Options(), "mesage")
        self.assertEqual(status, 1)
        self.assertRegex(line, r"\Anetlab: .*mesage.*\n\Z")

    def test_subcommand(self) -> None:
        """The service's own options come behind its name."""
        options = Options()
        options.parseOptions(["--log-level=debug", "message", "--listen", LOOPBACK])
        self.assertEqual(options.subCommand, "message")
        self.assertEqual(options.subOptions.listen, [LOOPBACK])
        self.assertTrue(log.debugging())
        status, line = self.ends(Options(), "message", "--max-message=0")
        self.assertEqual(status, 1)
        self.assertIn("--max-message: '0' is not a whole number from 1 up", line)

    def test_help(self) -> None:
        """Each option is explained, with its default; help is no error."""
        for words in (["--help"], ["message", "--help"]):
            self.out.seek(0)
            self.out.truncate()
            with self.assertRaises(SystemExit) as ended:
                Options().parseOptions(words)
            self.assertIn(ended.exception.code, (0, None))
        said = self.out.getvalue()
        for name in (*TIMES, *COUNTS, "close-timeout", "max-message", "framing", "app", "listen"):
            self.assertIn(f"--{name}", said)
        self.assertIn("[default: 600.0]", said)
        self.assertTrue(all(len(line) <= 80 for line in said.splitlines()), said)

    def test_version(self) -> None:
        """netlab's version, not Twisted's."""
        with self.assertRaises(SystemExit) as ended:
            Options().parseOptions(["--version"])
        self.assertIn(ended.exception.code, (0, None))
        self.assertRegex(self.out.getvalue(), r"\Anetlab \d+\.\d+")


class OwnOptions(MessageOptions):
    """Those of a program of one's own."""

    program = "shouting"
    default_app = f"{__name__}:Shout"
    optParameters = [["mood", None, "fine", "how it feels"]]


class Own(Parsing):
    """A program of one's own has the options of ``twistd netlab message``, and more."""

    def test_default_app(self) -> None:
        """Its own application, unless another one is named; the help says so."""
        options = OwnOptions()
        options.parseOptions(["--framing=netstring"])
        self.assertIs(options.app, Shout)
        self.assertEqual((options.framing, options["mood"]), (Netstring(), "fine"))
        self.assertIn(f"[default: {__name__}:Shout]", " ".join(str(options).split()))
        options = OwnOptions()
        options.parseOptions(["--app=echo", "--mood=grim"])
        self.assertIs(options.app, Echo)
        self.assertEqual(options["mood"], "grim")
        self.assertIs(self.parse().app, Echo)

    def test_who_speaks(self) -> None:
        """Mistakes and the version are told in its name."""
        status, line = self.ends(OwnOptions(), "--framing=lines")
        self.assertEqual(status, 1)
        self.assertRegex(line, r"\Ashouting: --framing: [^\n]+ \(see --help\)\n\Z")
        with self.assertRaises(SystemExit):
            OwnOptions().parseOptions(["--version"])
        self.assertEqual(self.out.getvalue(), "shouting is not installed\n")


class Failed(SynchronousTestCase):
    def test_both(self) -> None:
        """An exception for twistd, an exit for the interpreter."""
        error = StartUpFailed("netlab: it cannot")
        self.assertIsInstance(error, Exception)
        self.assertIsInstance(error, NetlabError)
        self.assertIsInstance(error, SystemExit)
        self.assertEqual(str(error), "netlab: it cannot")


class Services(TestCase):
    """``makeService``, and what it makes, on the real reactor."""

    timeout = 30

    def setUp(self) -> None:
        patch_process(self)
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "__stdout__", self.out)
        self.patch(sys, "__stderr__", self.err)

    def make(self, *words: str) -> Any:
        """The service that twistd would run; it is stopped at the end of the test."""
        options = Options()
        options.parseOptions(list(words))
        service: Any = makeService(options)
        self.addCleanup(service.stopService)
        return service

    def test_chosen(self) -> None:
        """The one that was named, with its options."""
        service = self.make("message", "--listen", LOOPBACK, "--grace=3", "--framing=varint")
        self.assertTrue(IService.providedBy(service))
        self.assertIsInstance(service, NetlabService)
        (message,) = service
        self.assertEqual(
            (message.name, message.endpoints, message.grace), ("message", [LOOPBACK], 3)
        )

    def test_all(self) -> None:
        """Without a name: all of them, on their default ports, loopback only."""
        service = self.make("--grace=3")
        self.assertEqual({each.name for each in service}, {"message", "echo", "rfc"})
        self.assertEqual(service.getServiceNamed("rfc").endpoints, loopback(8080))
        message = service.getServiceNamed("message")
        self.assertEqual((message.endpoints, message.grace), (loopback(8032), 3))

    def test_grace_of_all(self) -> None:
        """A grace that is given before the service's name is not forgotten."""
        (message,) = self.make("--grace=3", "message")
        self.assertEqual(message.grace, 3)
        (message,) = self.make("--grace=3", "message", "--grace=4")
        self.assertEqual(message.grace, 4)

    def test_buffers(self) -> None:
        """The program keeps its big buffers."""
        called: list[bool] = []
        self.patch(tap, "keep_big_buffers", lambda: called.append(True))
        self.make("message")
        self.assertEqual(called, [True])
        self.assertTrue(callable(allocator.keep_big_buffers))

    async def test_runs(self) -> None:
        """It listens, says where in one table, and stops."""
        service = self.make("message", "--listen", LOOPBACK, "--listen", LOOPBACK)
        service.privilegedStartService()
        service.startService()
        (message,) = service
        ports = [each.port for each in message.server.addresses]
        await deferLater(reactor, 0)  # it speaks when the reactor runs
        table = self.out.getvalue().splitlines()
        self.assertEqual(table[0].split(), ["service", "listens", "on", "try"])
        self.assertEqual(len(table), 3)
        for port, line in zip(ports, table[1:], strict=True):
            self.assertIn(f"127.0.0.1:{port} ", line)
        with socket.create_connection(("127.0.0.1", ports[0])):
            pass
        self.assertEqual(self.err.getvalue(), "")

    async def table(self, service: Any) -> list[str]:
        """Starts ``service``; the rows of its table."""
        service.privilegedStartService()
        service.startService()
        await deferLater(reactor, 0)
        return self.out.getvalue().splitlines()[1:]

    async def test_own(self) -> None:
        """A program of one's own serves under its own name."""
        options = OwnOptions()
        options.parseOptions(["--listen", LOOPBACK, "--grace=3"])
        service: Any = make_message_service(options)
        self.addCleanup(service.stopService)
        (shouting,) = service
        self.assertEqual((shouting.name, shouting.grace), ("shouting", 3))
        (line,) = await self.table(service)
        self.assertRegex(
            line, r"\Ashouting +127\.0\.0\.1:\d+ +netlab send tcp:localhost:\d+ hello\Z"
        )

    async def test_own_busy(self) -> None:
        """It also says itself why it does not start."""
        options = OwnOptions()
        options.parseOptions(["--listen=8032"])
        service: Any = make_message_service(options)
        self.addCleanup(service.stopService)
        self.assertRaises(StartUpFailed, service.privilegedStartService)
        self.assertTrue(self.err.getvalue().startswith("shouting: "))

    async def test_api(self) -> None:
        """What is served as an api can be asked what it offers."""
        for app, words in (
            ("rooms", ""),
            ("tests.api.described:Calculator", ""),
            (f"{__name__}:PACKED", " --codec msgpack"),
        ):
            service = self.make("message", "--listen", LOOPBACK, f"--app={app}")
            self.out.seek(0)
            self.out.truncate()
            (line,) = await self.table(service)
            self.assertRegex(line, rf" netlab describe{words} tcp:localhost:\d+\Z")

    async def test_without_standard_output(self) -> None:
        """A daemon may have none."""
        self.patch(sys, "__stdout__", None)
        service = self.make("message", "--listen", LOOPBACK)
        service.privilegedStartService()
        service.startService()
        await deferLater(reactor, 0)

    async def test_busy(self) -> None:
        """A busy port: one line, status 1, and nothing that listens."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            busy = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            service = self.make("message", "--listen", LOOPBACK, "--listen", busy)
            error = self.assertRaises(StartUpFailed, service.privilegedStartService)
        self.assertEqual(error.code, 1)
        said = f"cannot listen on {busy}: address already in use"
        self.assertEqual(self.err.getvalue(), f"netlab: {said}\n")
        self.assertIn(said, str(error))

    async def test_bad_endpoint(self) -> None:
        """So is an endpoint that means nothing."""
        service = self.make("message", "--listen=8032")
        error = self.assertRaises(StartUpFailed, service.privilegedStartService)
        self.assertEqual(error.code, 1)
        self.assertIn("tcp:8032", self.err.getvalue())
