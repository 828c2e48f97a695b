"""The dissector; what Wireshark makes of it is skipped where ``tshark`` is not installed."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from netlab.api import Api, RpcError, describe, method
from netlab.api.dissector import dissector, protocol_name, quoted
from netlab.api.jsonrpc import RequestCame, Session
from netlab.errors import ConfigurationError
from netlab.framing import Framing, LengthPrefix, Line, parse_framing
from netlab.ledger import open_recorder
from tests.api.described import Awkward, Calculator, Empty

PEER, HOST = ("192.0.2.1", 4711), ("192.0.2.2", 8032)
PATIENCE = 60.0  # seconds; only a test that fails waits so long
NAME = "netlab.calculator"
FRAMINGS = (
    *("length-prefix", "varint", "netstring", "content-length", "line"),
    *("length-prefix:size=8:byteorder=little:adjustment=-8", r"line:delimiter=\0\xff"),
)


class Source(SynchronousTestCase):
    def test_ascii(self) -> None:
        """Whatever the names: Lua, and Wireshark's preferences, know bytes only."""
        for api in (Calculator, Awkward, Empty):
            self.assertTrue(dissector(describe(api)).isascii())

    def test_names(self) -> None:
        self.assertEqual(protocol_name(describe(Calculator)), NAME)
        self.assertEqual(protocol_name(describe(type("Größe", (Api,), {}))), "netlab.gr_e")

    def test_literals(self) -> None:
        self.assertEqual(quoted('a"\\\n'), r'"a\034\092\010"')
        self.assertEqual(quoted("ü"), r'"\195\188"')
        self.assertEqual(quoted(b"\xff1"), r'"\2551"')

    def test_fields_have_names_of_their_own(self) -> None:
        source = dissector(describe(Awkward))
        for field in ("a_b_c_gr_e.gr_e", "a_b_c_gr_e.gr_e_2", "error.code_2", "error.message_2"):
            self.assertEqual(source.count(f'field = "{field}"'), 1, field)

    def test_wrong(self) -> None:
        description = describe(Calculator)
        for port in (0, 65536, True):
            with self.assertRaisesRegex(ConfigurationError, "1 to 65535"):
                dissector(description, port=port)

        class Own(Line):
            pass

        with self.assertRaisesRegex(ConfigurationError, "no dissector for Own"):
            dissector(description, Own())


class Wireshark(SynchronousTestCase):
    if shutil.which("tshark") is None:
        skip = "tshark is not installed"

    def setUp(self) -> None:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.framing: Framing = LengthPrefix()
        self.recorder = open_recorder(pcap=str(self.folder / "p.pcapng"))
        self.flow = self.recorder.stream(PEER, HOST)
        self.client, self.server = Session(), Session()

    def sent(self) -> list[RequestCame]:
        """What the client has to say goes to the server, a segment for each message."""
        came: list[RequestCame] = []
        for message in self.client.take():
            self.flow.data("in", self.framing.encode(message))
            events = self.server.receive(message)
            came += [each for each in events if isinstance(each, RequestCame)]
        return came

    def answered(self) -> None:
        for message in self.server.take():
            self.flow.data("out", self.framing.encode(message))
            self.client.receive(message)

    def tshark(self, *options: str, api: type[Api] = Calculator) -> list[str]:
        """The lines that it prints; what it says of the Lua itself fails the test."""
        self.flow.ended("closed")
        self.recorder.close()
        script = self.folder / "api.lua"
        script.write_text(dissector(describe(api), self.framing), "ascii")
        ended = subprocess.run(
            [
                "tshark",
                "-n",
                "-X",
                f"lua_script:{script}",
                "-r",
                self.folder / "p.pcapng",
                *options,
            ],
            capture_output=True,
            timeout=PATIENCE,
        )
        said = ended.stderr.decode()
        self.assertEqual((ended.returncode, "Lua" in said), (0, False), said)
        return ended.stdout.decode().splitlines()

    def fields(
        self, *names: str, only: str = NAME, api: type[Api] = Calculator, two: bool = False
    ) -> list[list[str]]:
        wanted = [option for name in names for option in ("-e", name)]
        passes = ["-2"] if two else []
        options = [*passes, "-T", "fields", "-Y", only, "-E", "separator=|", *wanted]
        return [line.split("|") for line in self.tshark(*options, api=api)]

    def infos(self, only: str = NAME, api: type[Api] = Calculator) -> list[str]:
        return [line for (line,) in self.fields("_ws.col.Info", only=only, api=api)]

    def talk(self) -> None:
        """One of each kind."""
        client, server = self.client, self.server
        client.call("add", [1, 2])
        server.reply(self.sent()[0], 3)
        self.answered()
        client.call("add", {"b": "x", "a": 1})
        server.reply_error(self.sent()[0], RpcError(-32602, "Invalid params: b", {"path": "$.b"}))
        self.answered()
        client.call("text/upper", {"text": "Zürich \U0001f388\n", "deep": True, "ratio": 0.5})
        server.reply(self.sent()[0], {"a": [1]})
        self.answered()
        client.subscribe("countdown", [2], credit=None)
        publication = server.accept(self.sent()[0])
        server.publish(publication, 2)
        server.publish(publication, 1, dropped=3)
        server.end(publication)
        self.answered()
        client.call_batch([("add", [5, 6]), ("ping", None)])
        for each, result in zip(self.sent(), (11, None), strict=True):
            server.reply(each, result)
        self.answered()
        client.notify("add", [7, 8])
        self.sent()

    def test_summary(self) -> None:
        self.talk()
        self.assertEqual(
            self.infos(),
            [
                "add(a=1, b=2)",
                "add = 3",
                'add(b="x", a=1)',
                "add error -32602: Invalid params: b",
                'text/upper(text="Zürich 🎈\\n", deep=true, ratio=0.5)',
                'text/upper = {"a":[1]}',
                "countdown(start=2)",
                "countdown is subscription 1",
                "countdown [1] 2",
                "countdown [1] 1",
                "countdown [1] ends",
                "[add(a=5, b=6), ping()]",
                "[add = 11, ping = null]",
                "add(a=7, b=8)",
            ],
        )

    def test_fields(self) -> None:
        self.talk()
        wanted = ("method", "id", "add.a", "add.b", "add.result", "error.code", "countdown.item")
        found = self.fields(*(f"{NAME}.{each}" for each in wanted))
        self.assertEqual(found[0], ["add", "1", "1", "2", "", "", ""])
        self.assertEqual(found[1], ["add", "1", "", "", "3", "", ""])
        self.assertEqual(found[2], ["add", "2", "1", "", "", "", ""])
        self.assertEqual(found[3], ["add", "2", "", "", "", "-32602", ""])
        self.assertEqual(found[8], ["$/item,countdown", "", "", "", "", "", "2"])
        self.assertEqual(found[11], ["add,ping", "5,6", "5", "6", "", "", ""])

    def test_matching(self) -> None:
        """Calls and answers know of each other, though answers overtake each other."""
        self.client.call("add", [1, 2])
        self.client.call("add", [3, 4])
        first, second = self.sent()
        self.server.reply(second, 7)
        self.server.reply(first, 3)
        self.answered()
        names = ("frame.number", f"{NAME}.call", f"{NAME}.answer", f"{NAME}.time")
        rows = self.fields(*names, two=True)
        self.assertEqual(
            [row[:3] for row in rows],
            [["4", "", "7"], ["5", "", "6"], ["6", "5", ""], ["7", "4", ""]],
        )
        self.assertTrue(all(float(row[3]) >= 0 for row in rows[2:]))

    def test_both_sides_call(self) -> None:
        """The same id goes both ways."""
        self.client.call("add", [1, 2])
        self.server.call("countdown", [1])
        (request,) = self.sent()
        for message in self.server.take():
            self.flow.data("out", self.framing.encode(message))
            (backwards,) = self.client.receive(message)
        assert isinstance(backwards, RequestCame)
        self.client.reply(backwards, 9)
        self.sent()
        self.server.reply(request, 3)
        self.answered()
        self.assertEqual(
            self.infos(),
            ["add(a=1, b=2)", "countdown(start=1)", "countdown is subscription 9", "add = 3"],
        )

    def test_filter(self) -> None:
        self.talk()
        self.assertEqual(
            self.infos(f"{NAME}.add.a > 4"), ["[add(a=5, b=6), ping()]", "add(a=7, b=8)"]
        )

    def test_wrong_calls(self) -> None:
        self.client.call("add", {"a": None, "bogus": 1})
        self.client.call("nosuch", [1])
        self.client.call("add", [1, 2, 3])
        self.client.call("add", [2**63, -(2**63)])
        self.sent()
        rows = self.fields("_ws.expert.message", f"{NAME}.add.b")
        self.assertEqual(
            rows,
            [
                ["a is declared as int,there is no argument bogus", ""],
                ["there is no method nosuch", ""],
                ["there is no argument 3", "2"],
                ["", str(-(2**63))],
            ],
        )

    def test_no_messages(self) -> None:
        """Whatever comes is shown, and nothing of it is a fault of the dissector."""
        self.framing = Line()
        deep = b"[" * 60_000
        for message in (
            *(
                b'{"broken',
                b"",
                b"\xff\xfe",
                b'"\\u12"',
                b"[1,2",
                b"1 2",
                b"nan",
                b"-",
                b"{]",
                deep,
            ),
            *(b"1", b"{}", b"[]", b'{"id":1}', b'{"method":1}', b'{"method":"add","params":3}'),
            *(b'{"id":{},"result":1}', b'{"id":1,"error":5}', b'{"id":null,"error":{}}'),
            *(b'{"method":"$/item","params":{}}', b'{"method":"$/end","params":[]}'),
            *(b'{"method":"$/item"}', b'{"method":"add","params":{"a":{"x":[[]]}},"id":[]}'),
            *(b'{"method":"\\u0000\\ud83c\\udf88\\ud83c","id":"\x01"}', b'{"error":1,"result":1}'),
            b"[" + b"1," * 20_000 + b"1]",
        ):
            self.flow.data("in", self.framing.encode(message))
            self.flow.data("out", self.framing.encode(message))
        rows = self.fields("_ws.col.Info", "_ws.expert.message")
        self.assertEqual(len(rows), 2 * 26)
        self.assertEqual(rows[0], ["not JSON", "it is not JSON: text without an end"])
        said = "\n".join("|".join(row) for row in rows)
        self.assertNotIn("lua", said.lower())
        self.assertIn("too deep", said)

    def test_segments(self) -> None:
        """However TCP cuts the stream, in every framing."""
        whole: list[bytes] = []
        for number in range(6):
            self.client.call("add", [number, number])
            whole += self.client.take()
        for framing in FRAMINGS:
            self.setUp()
            self.framing = parse_framing(framing)
            data = b"".join(self.framing.encode(each) for each in whole)
            for at in range(0, len(data), 37):
                self.flow.data("in", data[at : at + 37])
            self.assertEqual(
                "; ".join(self.infos()),
                "; ".join(f"add(a={number}, b={number})" for number in range(6)),
                framing,
            )

    def test_one_segment(self) -> None:
        """Many messages in one."""
        messages: Iterable[bytes] = ()
        for number in range(3):
            self.client.notify("add", [number, 0])
        messages = self.client.take()
        self.flow.data("in", b"".join(self.framing.encode(each) for each in messages))
        self.assertEqual(self.infos(), ["add(a=0, b=0); add(a=1, b=0); add(a=2, b=0)"])

    def test_no_frame(self) -> None:
        """Another protocol on the port."""
        self.flow.data("in", b"GET / HTTP/1.1\r\n\r\n")
        (said,) = self.infos()
        self.assertEqual(said, "no frame: the length is 1195725856")

    def test_tls_is_left_to_others(self) -> None:
        self.flow.data("in", bytes.fromhex("160301000401000000"))
        self.assertEqual(self.fields("frame.number"), [])

    def test_awkward_names(self) -> None:
        first, second, error = (
            describe(Awkward).declared.keys() - {"matched"},
            "a_b_c_gr_e",
            "error",
        )
        (name,) = first - {second, error}
        self.client.call(name, [5])
        self.client.call(second, [6])
        self.client.call(error, {"code": True, "message": "m"})
        self.sent()
        fields = ("method", "a_b_c_gr_e.gr_e", "a_b_c_gr_e.gr_e_2", "error.message_2")
        rows = self.fields(
            *(f"netlab.awkward.{each}" for each in fields), only="netlab.awkward", api=Awkward
        )
        self.assertEqual(len(rows), 3)
        self.assertEqual(rows[1], ["a_b_c_gr_e", "", "6", ""])
        self.assertEqual(rows[2], ["error", "", "", "m"])

    def test_without_methods(self) -> None:
        self.client.notify("x", None)
        self.sent()
        self.assertEqual(self.infos("netlab.empty", Empty), ["x()"])

    def test_many_methods(self) -> None:
        def get(self: Api, a: int) -> int:
            raise NotImplementedError

        members = {f"m{at}": method(name=f"m{at}")(get) for at in range(300)}
        many = type("Many", (Api,), members)
        self.client.call("m299", [1])
        self.sent()
        self.assertEqual(self.infos("netlab.many.m299.a == 1", many), ["m299(a=1)"])
