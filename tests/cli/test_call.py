# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from netlab.api import Api, RpcError, method, subscription
from netlab.api.jsonrpc import MSGPACK, Event
from netlab.cli import main
from netlab.framing import Line
from tests.api.peer import ApiCase, Connection, Never
from tests.cli.test_send import ENVIRONMENT, PATIENCE, read_until
from tests.peer import break_off, echo, until_end


class Desk(Api):
    """All kinds of things."""

    @method
    def add(self, a: int, b: int = 2) -> int:
        """The sum of two integers."""
        return a + b

    @method
    def same(self, value: Any) -> Any:
        return value

    @method
    def greet(self, name: str) -> str:
        return f"Hello, {name}"

    @method(name="text/size")
    def size(self, texts: list[str]) -> int:
        return sum(map(len, texts))

    @method
    def fail(self, data: Any) -> None:
        raise RpcError(7, "it\nfailed", data)

    @method
    def never(self) -> Any:
        return Never

    @subscription
    async def countdown(self, start: int) -> AsyncIterator[int]:
        """From start down to one."""
        for each in range(start, 0, -1):
            yield each

    @subscription
    async def texts(self) -> AsyncIterator[str]:
        yield "\u202eon a line\n"
        raise RpcError(8, "broken")


class CallCase(ApiCase):
    def run_it(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["call", *arguments])

    def call(self, *arguments: str, **options: Any) -> Result:
        return self.run_it(self.serve_api(Desk(), **options), *arguments)

    def prints(self, expected: str, *arguments: str, **options: Any) -> None:
        result = self.call(*arguments, **options)
        self.assertEqual((result.exit_code, result.stderr, result.stdout), (0, "", expected))

    def says(self, expected: str, *arguments: str, **options: Any) -> None:
        """Ends with one line on standard error, and status 1."""
        result = self.call(*arguments, **options)
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(result.stderr, f"netlab: {expected}\n")


class Results(CallCase):
    def test_arguments(self) -> None:
        self.prints("3\n", "add", "a=1", "b=2")
        self.prints("3\n", "add", "1", "2")
        self.prints("-3\n", "add", "-1", "-2")
        self.prints("-1\n", "add", "a=1", "b=-2")
        self.prints("4\n", "add", "1", "b=3")
        self.prints("3\n", "add", "1")
        self.prints('"Hello, Ada"\n', "greet", "Ada")
        self.prints('"Hello, "\n', "greet", "name=")
        self.prints('"Hello, a=b"\n', "greet", "name=a=b")
        self.prints('"Hello, 5"\n', "greet", '"5"')
        self.prints('"Hello, --help"\n', "greet", "--", "--help")
        self.prints("5\n", "text/size", 'texts=["ab", "cde"]')

    def test_values(self) -> None:
        for typed, printed in (
            ("true", "true"),
            ("null", "null"),
            ("1.5", "1.5"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ('{"a": [1, {}]}', '{"a":[1,{}]}'),
            ("NaN", '"NaN"'),
            ("007", '"007"'),
            ("{", '"{"'),
            ("Grüße", '"Grüße"'),
        ):
            self.prints(f"{printed}\n", "same", f"value={typed}")

    def test_framing_and_codec(self) -> None:
        self.prints("3\n", "--framing", "line", "add", "1", "2", framing=Line())
        self.prints("3\n", "add", "1", "2", "--codec", "msgpack", codec=MSGPACK)
        self.prints("[1,{}]\n", "same", "[1, {}]", "--codec=msgpack", codec=MSGPACK)

    def test_what_json_cannot_write(self) -> None:
        class Odd(Desk):
            @method
            def same(self, value: Any) -> Any:
                return {(1, 2): 3}

        endpoint = self.serve_api(Odd(), codec=MSGPACK)
        result = self.run_it(endpoint, "--codec", "msgpack", "same", "1")
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertIn("netlab: JSON has no words for what came: ", result.stderr)

    def test_subscription(self) -> None:
        self.prints("3\n2\n1\n", "countdown", "3")
        expected = "".join(f"{each}\n" for each in range(200, 0, -1))
        self.prints(expected, "countdown", "start=200", "--codec", "msgpack", codec=MSGPACK)

    def test_a_subscription_that_breaks(self) -> None:
        result = self.call("texts")
        self.assertEqual((result.exit_code, result.stdout), (1, '"\u202eon a line\\n"\n'))
        self.assertEqual(result.stderr, "netlab: broken (8)\n")

    def test_items_left_out(self) -> None:
        def step(connection: Connection, _: list[Event]) -> None:
            for publication in list(connection.streams):
                if publication.open:
                    connection.session.publish(publication, 0, dropped=2)
                    connection.session.end(publication)

        class Slow(Desk):
            @subscription
            async def countdown(self, start: int) -> AsyncIterator[int]:
                await Pausing()
                yield 1

        result = self.run_it(self.serve_api(Slow(), step=step), "countdown", "3")
        self.assertEqual((result.exit_code, result.stdout), (0, "0\n"))
        self.assertEqual(result.stderr, "netlab: 2 items were left out\n")

    def test_a_server_that_does_not_describe_itself(self) -> None:
        self.prints("3\n", "add", "1", "2", discovers=False)
        self.says("Method not found (-32601): ad", "ad", discovers=False)
        result = self.call("add", "1", "b=2", discovers=False)
        self.assertEqual(result.exit_code, 2)
        self.assertIn("arguments by position, or all by name", result.stderr)


class Pausing:
    """What a coroutine waits for without end."""

    def __await__(self) -> Any:
        yield


class Faults(CallCase):
    def test_of_arguments(self) -> None:
        usage = "usage: add(a: int, b: int = 2)"
        for words, said in (
            (("a=1", "b=x"), "b: Expected `int`, got `str` (-32602); "),
            (("x", "1"), "a: Expected `int`, got `str` (-32602); "),
            (("b=1",), "a is missing (-32602); "),
            (("a=1", "c=1"), "c is no argument: the arguments are add(a: int, b: int = 2)"),
        ):
            result = self.call("add", *words)
            self.assertEqual((result.exit_code, result.stdout), (1, ""))
            self.assertEqual(result.stderr.count("\n"), 1)
            self.assertIn(f"netlab: Invalid params: {said}", result.stderr)
            self.assertIn(usage, result.stderr)

    def test_the_path(self) -> None:
        self.says(
            "Invalid params: $.texts[1]: Expected `str`, got `int` (-32602); "
            "usage: text/size(texts: list[str])",
            "text/size",
            '["a", 1]',
        )

    def test_a_number_for_text(self) -> None:
        self.says(
            "Invalid params: name: Expected `str`, got `int` (-32602); "
            "for text write name='\"5\"'; usage: greet(name: str)",
            "greet",
            "name=5",
        )

    def test_unknown_methods(self) -> None:
        self.says("there is no method 'ad': is it add?", "ad")
        self.says("there is no method 'size': is it text/size?", "size")
        self.says(
            "there is no method 'x\\n': there are add, same, greet, text/size, fail, never, "
            "countdown, texts",
            "x\n",
        )

    def test_errors_of_the_method(self) -> None:
        for data, said in (
            ("null", ""),
            ("more", ": more"),
            ('{"a":1}', ': {"a":1}'),
            ('{"incident":"x"}', ""),
        ):
            self.says(f"it\\nfailed (7){said}", "fail", data)

    def test_usage(self) -> None:
        for words, said in (
            ((), "Missing argument '[ENDPOINT] METHOD"),
            (("tcp:localhost:1",), "No method: what shall be called? Try: netlab describe tcp:"),
            (("add", "a=1", "a=2", "--timeout", "1"), "a is given twice"),
            (("add", "--tiemout", "1"), "No such option '--tiemout'. Did you mean '--timeout'?"),
            (("add", "--framing", "netstrings"), "did you mean 'netstring'?"),
            (("add", "--framing", "line", "--codec", "msgpack"), "another framing than line"),
            (("add", "--codec", "xml"), "'xml' is not one of 'json', 'msgpack'"),
            (("ssl:localhost:1", "add"), "write tls:HOST:PORT"),
            (("add", "\udcff"), "'\\udcff' is not UTF-8"),
            (("add", "[" * 5000), "Too many arrays"),
        ):
            result = self.run_it(*words)
            self.assertEqual((result.exit_code, result.stdout), (2, ""), words)
            said_at_all = result.stderr.replace("\n", " ").replace("  ", " ")
            self.assertIn(said, said_at_all)

    def test_mixed(self) -> None:
        for words, said in (
            (("1", "a=2"), "a is given twice, by position too: add(a: integer, b: integer = 2)"),
            (("1", "2", "3", "a=4"), "Too many arguments: add(a: integer"),
        ):
            result = self.call("add", *words)
            self.assertEqual((result.exit_code, result.stdout), (2, ""))
            self.assertIn(said, result.stderr)

    def test_no_server(self) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            result = self.run_it(f"tcp:127.0.0.1:{nobody.getsockname()[1]}", "add")
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertIn("connection refused; is the server running?", result.stderr)

    def test_other_servers(self) -> None:
        endpoint = self.serve(until_end)
        result = self.run_it(endpoint, "--framing", "line", "--timeout", "0.05", "add")
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertEqual(
            result.stderr,
            "netlab: no answer to rpc.discover came within 0.05 s; is line the server's framing?\n",
        )
        for script, said in (
            (echo, "the server only sends back what it gets: was it started with --app?"),
            (break_off, "the connection broke off"),
        ):
            result = self.run_it(self.serve(script), "add", "1")
            self.assertEqual((result.exit_code, result.stdout), (1, ""))
            self.assertIn(said, result.stderr)
        result = self.call("add", "1", codec=MSGPACK)
        self.assertIn("what is not json", result.stderr)

    def test_deadline(self) -> None:
        self.says("no answer to never came within 0.1 s", "never", "--timeout", "0.1")

    def test_help(self) -> None:
        result = self.run_it("--help")
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertIn("netlab call add a=1 b=2", result.stdout)
        self.assertLess(max(map(len, result.stdout.splitlines())), 80)


class Completion(CallCase):
    def complete(self, *words: str, incomplete: str = "") -> list[tuple[str, str | None]]:
        shell = ShellComplete(main, {}, "netlab", "_NETLAB_COMPLETE")
        found = shell.get_completions(["call", *words], incomplete)
        return [(each.value, each.help) for each in found]

    def test_methods(self) -> None:
        endpoint = self.serve_api(Desk())
        found = self.complete(endpoint)
        self.assertIn(("add", "The sum of two integers."), found)
        names = [name for name, _ in found]
        self.assertIn("text/size", names)
        self.assertNotIn("rpc.discover", names)
        found = self.complete(self.serve_api(Desk()), incomplete="co")
        self.assertEqual(found, [("countdown", "From start down to one.")])

    def test_as_bash_cuts_words(self) -> None:
        endpoint = self.serve_api(Desk())
        words = endpoint.replace(":", " : ").split()
        self.assertEqual(len(self.complete(*words, incomplete="add")), 1)

    def test_after_the_method(self) -> None:
        self.assertEqual(self.complete("tcp:localhost:1", "add"), [])
        self.assertEqual(self.complete("add"), [])

    def test_options(self) -> None:
        found = self.complete("--framing", "line", self.serve_api(Desk(), Line()), incomplete="ad")
        self.assertEqual([name for name, _ in found], ["add"])

    def test_no_server(self) -> None:
        self.assertEqual(self.complete(self.serve(break_off)), [])
        self.assertEqual(self.complete("tcp:nonsense"), [])
        self.assertEqual(self.complete("--framing", "netstrings", "tcp:localhost:1"), [])
        self.assertEqual(self.complete(self.serve_api(Desk(), discovers=False)), [])


class Processes(CallCase):
    def test_interrupted(self) -> None:
        class Slow(Desk):
            @subscription
            async def countdown(self, start: int) -> AsyncIterator[int]:
                yield start
                await Pausing()

        endpoint = self.serve_api(Slow())
        command = [sys.executable, "-m", "netlab", "call", endpoint, "countdown", "3"]
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen(command, env=ENVIRONMENT, **pipes) as process:  # type: ignore[call-overload]
            read_until(process.stdout, b"3\n")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(PATIENCE), 130)
            self.assertEqual(process.stderr.read(), b"")

    def test_on_a_terminal(self) -> None:
        master, slave = pty.openpty()
        try:
            value = '{"a": ["\u202e\x9b\U000e0001 Grüße"]}'
            command = [
                sys.executable,
                "-m",
                "netlab",
                "call",
                self.serve_api(Desk()),
                "same",
                value,
            ]
            done = subprocess.run(
                command, env=ENVIRONMENT, stdout=slave, timeout=PATIENCE, check=False
            )
            self.assertEqual(done.returncode, 0)
            shown = read_until(master, b"}\r\n").decode()
        finally:
            os.close(master)
            os.close(slave)
        expected = '{\r\n  "a": [\r\n    "\\u202e\\u009b\\udb40\\udc01 Grüße"\r\n  ]\r\n}\r\n'
        self.assertEqual(shown, expected)

    def test_no_twisted(self) -> None:
        for command in ("call", "describe"):
            code = f"import sys\nimport netlab.cli.{command}\nsys.exit('twisted' in sys.modules)"
            done = subprocess.run(
                [sys.executable, "-c", code], env=ENVIRONMENT, timeout=PATIENCE, check=False
            )
            self.assertEqual(done.returncode, 0)
