"""A reader who does what a document says.

What a block of code in a document means to the reader:

``python``   begins with a comment that names a file, which is written into an empty
             folder; a later command must use it, or the package that it is in.
``pycon``    a session with the interpreter, run by ``doctest``. All of a document's
             sessions are one.
``console``  commands, each after ``$ ``, run by the shell in that folder, and what
             they print. ``...`` stands for anything, in a line or as a line. Where
             no output is shown the status must be 0. ``twistd -n`` and ``python
             serve_...`` are servers: they run until the document starts the next one.
             ``python origin.py`` runs beside them, until ``<!-- stop: origin -->``. After
             ``<!-- soon -->`` what is shown may take a moment to come true.
             A program in ``OPTIONAL`` need not be here; then its command is passed over.
             ``cd FOLDER`` holds for all that follows. ``pip install -e`` lets the project be
             found as that does, but installs nothing: tests/system/test_new.py does.
``ini``      a unit file of systemd; it begins with a comment that names its file.
             The program that it starts is started, with a socket where it asks for one.
``sh``       README's two one-liners.
``text``     is not run, but after ``<!-- log -->`` it is what the server logs, after
             ``<!-- log: origin -->`` what the origin prints, after
             ``<!-- wire -->`` what a client says to the server in lines (see ``wire.py``),
             after ``<!-- reads: FRAMING -->`` what a decoder makes of reads, and after
             ``<!-- tree -->`` the tree of exceptions.

A server shall listen on a free port of the loopback interface and not on 8032 or 8007,
so commands, programs and expected outputs are translated: see ``Ports``. Nor shall it ask
the RFC Editor: an ``Editor`` of ours takes that part. The reader's caches are in the folder.
"""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import TestCase

from ..examples.processes import (
    DEADLINE,
    READY,
    ROOT,
    Background,
    free_port,
    free_udp_port,
    has_ipv6,
    run,
)
from .editor import Editor
from .wire import converse

DOCUMENTS = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / each for each in ("README.md", "CHANGELOG.md", "examples/README.md")),
    ]
)
SERVER = re.compile(r"(twistd -n|python serve_\w+\.py|python origin\.py)\b[^;|&]*")
FAILING = re.compile(r"(netlab|poll): ")
"""How it begins when a server says why it does not start."""
ORIGIN = "python origin.py "
NEEDED = ("nc", "xxd", "node", "openssl", "curl")
"""Programs without which a document cannot be followed."""
OPTIONAL = ("tshark",)
LOOKS = re.compile(r"(ls|cut|grep|tail|tshark|python fates\.py|python -m json\.tool) ")
"""Commands that look at what a server writes: what a signal or a datagram brings about
takes a moment, so they are tried again until they show it."""


@dataclass(frozen=True)
class Block:
    """A block of code: its kind, the comment above it, its lines, where it is."""

    kind: str
    comment: str
    lines: tuple[str, ...]
    where: str

    @property
    def text(self) -> str:
        return "".join(f"{each}\n" for each in self.lines)


@dataclass(frozen=True)
class Command:
    """One command of a ``console`` block and the lines that it shall print."""

    line: str
    expected: tuple[str, ...]
    where: str

    @property
    def is_origin(self) -> bool:
        return self.line.startswith(ORIGIN)

    @property
    def is_server(self) -> bool:
        failing = any(FAILING.match(each) for each in self.expected)
        return SERVER.fullmatch(self.line.replace(".venv/bin/", "")) is not None and not failing


def blocks(document: Path) -> Iterator[Block]:
    """The blocks of code in a document."""
    comment = kind = ""
    inside: list[str] | None = None
    for number, line in enumerate(document.read_text().splitlines(), 1):
        where = f"{document.relative_to(ROOT)}:{number}"
        if line.startswith("```"):
            if inside is None:
                kind, inside = line[3:], []
            else:
                yield Block(kind, comment, tuple(inside), where)
                comment, inside = "", None
        elif inside is not None:
            inside.append(line)
        elif line.strip():
            found = re.fullmatch(r"<!-- (.*) -->", line)
            comment = found[1] if found else ""
    if inside is not None:
        raise AssertionError(f"{document}: a block is not closed")


def prose(document: Path) -> str:
    """A document without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def commands(block: Block) -> list[Command]:
    """The commands of a ``console`` block."""
    parts = re.split(r"^\$ (.*)$", block.text, flags=re.MULTILINE)
    if parts[0].strip():
        raise AssertionError(f"{block.where}: output without a command")
    return [
        Command(line, tuple(output.strip("\n").splitlines()), block.where)
        for line, output in zip(parts[1::2], parts[2::2], strict=True)
    ]


def tables(document: Path, after: str = "") -> Iterator[tuple[list[str], list[list[str]]]]:
    """The tables of a document ``after`` a heading: the cells of the head, and of each row."""
    text = prose(document)
    if after:
        _, found, text = text.partition(f"# {after}\n")
        assert found, f"{document.name} has no heading {after!r}"
    for head, rows in re.findall(r"^\|(.*)\|\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE):
        yield cells(head), [cells(row[1:-1]) for row in rows.splitlines()]


def cells(row: str) -> list[str]:
    return [each.strip() for each in row.split("|")]


def table(document: Path, *head: str, after: str = "") -> dict[str, list[str]]:
    """The rows of the table that begins with these heads, by the names in their first cell."""
    for titles, rows in tables(document, after):
        if titles[: len(head)] == list(head):
            return {name: row[1:] for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    raise AssertionError(f"{document.name} has no table with {head}")


class Ports:
    """Translates what a document says to where a test may listen.

    upstream  where the RFCs are, in place of the RFC Editor
    origin    the port of the origin that runs already
    """

    def __init__(self, upstream: str = "", origin: int | None = None) -> None:
        self.plain = free_port()
        self.tls = free_port()
        self.udp = free_udp_port()
        self.http = free_port()
        self.origin = free_port() if origin is None else origin
        self.upstream = upstream

    def numbers(self, text: str) -> str:
        """Free ports instead of the well-known ones; also in programs."""
        ports = {"8032": self.plain, "8443": self.tls, "8007": self.udp, "8080": self.http}
        text = re.sub("8032|8443|8007|8080", lambda found: str(ports[found[0]]), text)
        # 3000 may be any number, elsewhere.
        return re.sub(rf"(?<=:)3000\b|(?<=^{re.escape(ORIGIN)})3000\b", str(self.origin), text)

    def command(self, line: str) -> str:
        """A command, or a line of output that shows one."""
        line = line.replace(".venv/bin/", "")
        if line.startswith("twistd ") or "; twistd " in line:
            line = self._twistd(line)
        # netlab's commands know the usual ports without being told.
        line = re.sub(
            r"netlab (send|call|describe)((?: --\w+ \S+)*)(?= (?!--|tcp:|tls:|unix:)|$)",
            r"netlab \1\2 tcp:localhost:8032",
            line,
        )
        line = re.sub(r"netlab ping (localhost|127\.0\.0\.1)(?!\S)", r"netlab ping \1:8007", line)
        line = re.sub(r"netlab ping ::1(?!\S)", r"netlab ping [::1]:8007", line)
        line = self._rfcs(line)
        return self.numbers(line)

    def servers(self, line: str) -> list[str]:
        """The commands that start what ``line`` does.

        ``twistd netlab`` alone has no option that names ports, so each of its services
        is started by itself.
        """
        alone = re.fullmatch(r"(\S*twistd -n.* netlab)", line)
        lines = [f"{line} {each}" for each in ("message", "echo", "rfc")] if alone else [line]
        return [self.command(each) for each in lines]

    def _rfcs(self, line: str) -> str:
        """Nobody asks the RFC Editor, and the server of this test is found on its port."""
        if re.search("--(upstream|server|offline) ?", line):
            return line
        line = re.sub(r"^(netlab rfc)(?= (?!mirror))", r"\1 --server http://localhost:8080", line)
        asking = r"^(twistd .*netlab rfc|netlab rfc mirror)(?!\S)"
        return re.sub(asking, rf"\1 --upstream {self.upstream}", line)

    def _twistd(self, line: str) -> str:
        if "--pidfile" not in line:
            line = line.replace("twistd -n", "twistd -n --pidfile=", 1)
        listening = re.compile(r"--listen ('[^']+'|[^\s;]+)")
        if not listening.search(line):
            line = line.replace("netlab message", "netlab message --listen tcp:8032", 1)
            line = re.sub(r"^(twistd(?: -\S+)*) (?!netlab)(\w+)", r"\1 \2 --listen tcp:8032", line)
            line = line.replace("netlab echo", f"netlab echo {self._both_loopbacks()}", 1)
            line = re.sub("netlab (rfc|cache)", r"netlab \1 --listen tcp:8080", line, count=1)
        return listening.sub(lambda found: f"--listen {self._loopback(found[1])}", line)

    def _both_loopbacks(self) -> str:
        """What a server of datagrams listens on by default, but for the port."""
        four = "--listen udp:8007:interface=127.0.0.1"
        return f"{four} --listen udp6:8007:interface=::1" if has_ipv6() else four

    def _loopback(self, quoted: str) -> str:
        endpoint = quoted.strip("'")
        kind = endpoint.removeprefix("haproxy:").partition(":")[0]
        if kind in ("tcp", "tcp6", "ssl", "tls") and "interface=" not in endpoint:
            # The second takes IPv4 on an IPv6 socket, as "every address" does.
            four, both = "127.0.0.1", r"\:\:ffff\:127.0.0.1"
            endpoint += f":interface={four if kind in ('tcp', 'ssl') else both}"
        if kind in ("udp", "udp6") and "interface=" not in endpoint:
            endpoint += f":interface={'127.0.0.1' if kind == 'udp' else '::1'}"
        return shlex.quote(endpoint)


def squeezed(text: str) -> str:
    """With single spaces: a free port has more digits, and shifts a table's columns."""
    return "\n".join(" ".join(each.split()) for each in text.splitlines())


def pattern(lines: tuple[str, ...]) -> str:
    """A regular expression for lines in which ``...`` stands for anything."""
    parts = []
    for line in lines:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            words = squeezed(line).split("...")
            parts.append(".*".join(re.escape(each) for each in words) + "\n")
    return "".join(parts)


class Session:
    """A reader who does what a document says, block by block, in an empty folder."""

    def __init__(self, case: TestCase, folder: Path) -> None:
        self.case = case
        self.folder = folder
        self.here = folder
        self.editor = Editor()
        self.ports = Ports(self.editor.url)
        self.origin: Background | None = None
        self.server: Background | None = None
        self.serving: list[Background] = []
        self.names: dict[str, object] = {}
        self.files: dict[str, Block] = {}
        self.running: list[Background] = []
        self.ran = ""
        surroundings = {
            key: value for key, value in os.environ.items() if "proxy" not in key.lower()
        }
        case.patch(os, "environ", surroundings | {"XDG_CACHE_HOME": str(folder / ".cache")})

    def read(self, document: Path) -> None:
        """Does everything in ``document``."""
        for block in blocks(document):
            getattr(self, f"do_{block.kind}")(block)
        for name, block in self.files.items():
            others = [(self.folder / each).read_text() for each in self.files if each != name]
            word = block.lines[0][2:].partition("/")[0].removesuffix(".py")
            word = {"tests": "pytest"}.get(word, word)
            used = re.search(rf"\b{word}\b", "\n".join([self.ran, *others]))
            self.case.assertTrue(used, f"{block.where}: {name} is never used")

    def do_python(self, block: Block) -> None:
        found = re.fullmatch(r"# ([\w/]+\.py)", block.lines[0])
        assert found, f"{block.where}: the first line names no file"
        compile(block.text, block.where, "exec")
        name = str((self.here / found[1]).relative_to(self.folder))
        self.files[name] = block
        self.write(name)

    def write(self, name: str) -> None:
        """Writes a file with the ports of now."""
        (self.folder / name).write_text(self.ports.numbers(self.files[name].text))

    def do_pycon(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self.names, block.where, block.where, 0
        )
        said = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(test, out=said.write, clear_globs=False)
        self.names.update(test.globs)
        self.case.assertEqual(runner.failures, 0, said.getvalue())

    def do_console(self, block: Block) -> None:
        if block.comment == "stop: origin":
            assert self.origin is not None
            self.origin.stop()
        for command in commands(block):
            self.ran += command.line + "\n"
            if missing := self.missing(command.line):
                if missing in OPTIONAL:
                    continue
                raise SkipTest(f"{missing} is not here")
            if command.is_origin:
                self.serve_origin(command)
                continue
            if command.line.startswith("cd "):
                self.here /= command.line.removeprefix("cd ")
                continue
            if command.line.startswith("pip install "):
                assert "-e" in command.line.split(), command.where
                os.environ["PYTHONPATH"] = str(self.here)
                continue
            if "twistd" in command.line or command.is_server:
                self.make_room()
            if command.is_server:
                self.serve(command)
            else:
                self.run(command, soon=block.comment == "soon")

    def do_sh(self, block: Block) -> None:
        """README's one-liner: what it installs is here already; what it serves is served."""
        if block.comment != "test command":
            last = block.text.rpartition("&& ")[2].strip()
            self.make_room()
            self.serve(Command(last, (), block.where))

    def do_ini(self, block: Block) -> None:
        """Is done in ``UnitFileTests``."""

    def do_text(self, block: Block) -> None:
        server = {"log": self.server, "log: origin": self.origin}.get(block.comment)
        if server is not None:
            lines = ("...", *block.lines, "...")
            server.wait_for(lambda said: self.matches(lines, said))
        if block.comment == "wire":
            converse(self.case, block.lines, self.ports.plain, block.where)

    def matches(self, expected: tuple[str, ...], said: str) -> bool:
        wanted = tuple(self.ports.command(each) for each in expected)
        return re.fullmatch(pattern(wanted), squeezed(said) + "\n") is not None

    def serve(self, command: Command) -> None:
        """Starts a server, in place of the one before."""
        for line in self.ports.servers(command.line):
            self.server = Background(line, self.here)
            self.running.append(self.server)
            self.serving.append(self.server)
        if "twistd" in command.line:
            for each in self.serving:
                each.wait_for(READY)
        if command.expected:
            assert self.server is not None
            expected = (*command.expected, "...")
            self.server.wait_for(lambda said: self.matches(expected, said))

    def serve_origin(self, command: Command) -> None:
        """Starts the origin, beside the server."""
        self.origin = Background(self.ports.command(command.line), self.here)
        self.running.append(self.origin)
        self.origin.wait_for("\n")

    def run(self, command: Command, *, soon: bool = False) -> None:
        """Runs a command, and compares; ``soon``: until it is as it should be."""
        line = self.ports.command(command.line)
        end = time.monotonic() + DEADLINE
        while True:
            status, said = run(line, self.here)
            right = self.matches(command.expected, said)
            again = soon or LOOKS.match(command.line)
            if right or not again or time.monotonic() > end:
                break
            time.sleep(0.02)
        told = f"{command.where}: {line}\nstatus {status}, printed:\n{said}"
        if command.expected:
            self.case.assertTrue(right, told)
        else:
            self.case.assertEqual((status, said), (0, ""), told)

    def missing(self, line: str) -> str | None:
        """A program that is not here, of those that ``line`` needs."""
        for word in (*NEEDED, *OPTIONAL):
            if re.search(rf"(^|\| ){word} ", line) and shutil.which(word) is None:
                return word
        return None

    def make_room(self) -> None:
        """Tells the server to stop and, so as not to wait for that, takes other ports."""
        for each in self.serving:
            each.process.send_signal(signal.SIGTERM)
        self.serving.clear()
        self.server = None
        self.ports = Ports(self.editor.url, self.ports.origin)
        for name in self.files:
            self.write(name)

    def stop(self) -> None:
        """Waits for the end of all servers, and ends one that went to the background."""
        pidfile = self.folder / "netlab.pid"
        if pidfile.exists():
            try:
                os.kill(int(pidfile.read_text()), signal.SIGTERM)
            except ProcessLookupError:
                pass  # as it should be: the document has stopped it
        for each in self.running:
            each.stop()
        self.editor.close()
