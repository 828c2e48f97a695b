"""README.md and everything in docs/ is run, and must be as it says."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import ast
import configparser
import inspect
import re
import shutil
import socket
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from unittest import SkipTest

from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import TestCase

import netlab
from netlab import errors
from netlab.blocking import Client, connect
from netlab.cli.send import send
from netlab.errors import NetlabError
from netlab.framing import DEFAULT_MAX_MESSAGE, FRAMINGS, parse_framing
from netlab.message import Backoff, MessageClient, MessageFactory, MessageProtocol, MessageServer
from netlab.tap import MessageOptions
from netlab.transport import DEFAULT_GRACE, Limits, Stats

from ..examples.processes import BIN, READY, ROOT, Background, make_folder
from .session import DOCUMENTS, Ports, Session, blocks, pattern, prose, table, tables

WIDTH = 80
"""What is printed must fit into a terminal of so many columns."""
OTHER_OPTIONS = {"--now"}
"""Options of programs that are not ours: systemctl's."""


class DocumentTests(TestCase):
    """What the documents show is what happens."""

    def follow(self, name: str, folder: Path | None = None) -> None:
        if folder is None:
            folder = make_folder(self)
        session = Session(self, folder)
        self.addCleanup(session.stop)
        session.read(ROOT / name)

    def test_readme(self) -> None:
        self.follow("README.md")

    def test_tutorial(self) -> None:
        self.follow("docs/tutorial.md")

    def test_framing(self) -> None:
        self.follow("docs/framing.md")

    def test_testing(self) -> None:
        self.follow("docs/testing.md")

    def test_deployment(self) -> None:
        if not has_ipv6():
            raise SkipTest("there is no IPv6 here")
        self.follow("docs/deployment.md")

    def test_api(self) -> None:
        self.follow("docs/api.md")

    def test_examples(self) -> None:
        folder = make_folder(self)
        shutil.copytree(ROOT / "examples", folder, dirs_exist_ok=True)
        self.follow("examples/README.md", folder)

    def test_every_block_is_run(self) -> None:
        """No block of another kind, and none in a document that no test follows."""
        followed = {"README.md", "examples/README.md"}
        names = ("tutorial", "framing", "testing", "deployment", "api")
        followed |= {f"docs/{each}.md" for each in names}
        for document in DOCUMENTS:
            for block in blocks(document):
                self.assertIn(str(document.relative_to(ROOT)), followed)
                self.assertTrue(hasattr(Session, f"do_{block.kind}"), block.where)

    def test_width(self) -> None:
        """What is printed, drawn or typed fits into a terminal."""
        for document in DOCUMENTS:
            for block in blocks(document):
                for line in block.lines:
                    if block.kind in ("text", "console", "pycon") and not line.startswith("$ "):
                        self.assertLessEqual(len(line), WIDTH, f"{block.where}: {line}")
                    if block.kind == "python":
                        self.assertLessEqual(len(line), 100, f"{block.where}: {line}")


class OneLinerTests(TestCase):
    """README's two lines to paste. They cannot run here: they would run this test."""

    install = "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/twistd -n netlab"
    test = (
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' "
        "&& .venv/bin/python -m pytest"
    )

    def test_form(self) -> None:
        found = [each for each in blocks(ROOT / "README.md") if each.kind == "sh"]
        self.assertEqual([each.lines for each in found], [(self.install,), (self.test,)])
        self.assertIn(f"<!-- test command -->\n```sh\n{self.test}\n```\n", read("README.md"))

    def test_parts(self) -> None:
        """The extra, the programs and what pip needs are there."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        self.assertIn("pytest", setup["options.extras_require"]["test"])
        self.assertIn("netlab = netlab.cli:main", setup["options.entry_points"]["console_scripts"])
        self.assertIn(
            "setuptools", tomllib.loads(read("pyproject.toml"))["build-system"]["requires"][0]
        )
        for program in ("twistd", "netlab"):
            self.assertTrue((BIN / program).exists(), program)


class LinkTests(TestCase):
    """Links lead somewhere."""

    def test_links(self) -> None:
        for document in DOCUMENTS:
            for target in re.findall(r"\]\(([^)]+)\)", prose(document)):
                where = f"{document.relative_to(ROOT)}: {target}"
                if re.match(r"\w+:", target):
                    self.assertTrue(target.startswith("https://"), where)
                    continue
                path, _, anchor = target.partition("#")
                file = document.parent / path if path else document
                self.assertTrue(file.exists(), where)
                if anchor:
                    self.assertIn(anchor, anchors(file), where)

    def test_index(self) -> None:
        """docs/README.md leads to each document."""
        for each in (ROOT / "docs").glob("*.md"):
            if each.name != "README.md":
                self.assertIn(f"({each.name})", read("docs/README.md"))


class OptionTests(TestCase):
    """Options, limits and names are the real ones, with their real defaults."""

    deployment = ROOT / "docs" / "deployment.md"
    api = ROOT / "docs" / "api.md"

    def test_all_options_are_told(self) -> None:
        """deployment.md has each option of ``twistd netlab message``, with its default."""
        told = table(self.deployment, "option", "default", "meaning")
        options = MessageOptions()
        real = {each.rstrip("=") for each in options.longOpt}
        self.assertEqual({each[2:] for each in told if each.startswith("--")}, real)
        for short in (each for each in told if not each.startswith("--")):
            self.assertIn(short[1:], options.synonyms)
        for name in real - {"listen", "help", "version"}:
            default = options.defaults[name]
            if default is None:  # then the description says it
                found = re.search(r"\[default: (.*)\]", str(options.docs[name]))
                assert found, name
                default = found[1]
            shown = told[f"--{name}"][0].strip("`")
            if isinstance(default, float):
                self.assertEqual(float(shown), default, name)
            else:
                self.assertEqual(shown, str(default), name)

    def test_told_options_exist(self) -> None:
        known = set(OTHER_OPTIONS)
        for options in (MessageOptions(), ServerOptions()):
            known |= {f"--{each.rstrip('=')}" for each in options.longOpt}
        for parameter in send.params:
            known |= set(parameter.opts)
        for document in DOCUMENTS:
            text = document.read_text()
            for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
                self.assertIn(name, known, f"{document.name}: {name}")

    def test_dataclasses(self) -> None:
        """The tables of fields have all fields, with their defaults."""
        limits = table(self.api, "field", "default", "limits")
        self.assertEqual(limits.keys() - {"None"}, {each.name for each in fields(Limits)})
        for each in fields(Limits):
            self.assertEqual(limits[each.name][0], f"`{each.default!r}`")
        backoff = table(self.api, "field of `Backoff`", "default")
        for field in fields(Backoff):
            self.assertEqual(backoff[field.name][0], f"`{field.default!r}`")
        counted = table(self.api, "field", "counts")
        self.assertEqual(list(counted), [each.name for each in fields(Stats)])

    def test_names(self) -> None:
        """What api.md says an object has, it has; and every public name is there."""
        for owner, head in (
            (MessageProtocol, ("hook",)),
            (MessageProtocol, ("call or attribute",)),
            (MessageFactory, ("name", "is")),
            (MessageServer, ("of `MessageServer`",)),
            (MessageClient, ("of `MessageClient`",)),
            (Client, ("of `Client`",)),
        ):
            for told in table(self.api, *head):
                name = re.sub(r"\(.*|await |.* in ", "", told)
                if name != "client":
                    known = hasattr(owner, name) or name in owner.__annotations__
                    known = known or f" self.{name} = " in inspect.getsource(owner)
                    self.assertTrue(known, f"{owner.__name__}.{name}")
        text = self.api.read_text()
        for name in netlab.__all__:
            self.assertIn(name, text)

    def test_error_tree(self) -> None:
        """The tree in api.md has every error, below its bases."""
        (tree,) = (each for each in blocks(self.api) if each.comment == "tree")
        path: list[str] = []
        told = set()
        for line in tree.lines:
            found = re.fullmatch(r"((?:[|` ] *|-- )*)(\w+)(?: \((\w+)\))?(?:  .*)?", line)
            assert found, line
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            error = getattr(errors, found[2])
            told.add(error)
            for base in path[:-1]:
                self.assertTrue(issubclass(error, getattr(errors, base)), line)
            if found[3]:
                self.assertIn(found[3], [each.__name__ for each in error.__mro__])
        real = {each for each in vars(errors).values() if isinstance(each, type)}
        self.assertEqual(told, {each for each in real if issubclass(each, NetlabError)})

    def test_safe_defaults(self) -> None:
        """README's small table."""
        (rows,) = (rows for head, rows in tables(ROOT / "README.md") if head[0] == "what")
        told = dict(rows)
        limits = Limits()
        behind = limits.max_buffered // 1024
        for what, value in (
            ("the longest message", f"{DEFAULT_MAX_MESSAGE // 2**20} MiB"),
            ("a message, from its first byte to its last", f"{limits.frame_timeout:g} s"),
            ("a silent connection", f"closed after {limits.idle_timeout:g} s"),
            (
                "a peer that stops reading",
                f"cut after {limits.write_timeout:g} s, or more than {behind} KiB behind",
            ),
            ("a TLS handshake", f"{limits.handshake_timeout:g} s"),
            ("a close", f"{limits.close_timeout:g} s, then abort"),
            ("stopping", f"{DEFAULT_GRACE:g} s to finish in; a second signal ends at once"),
        ):
            self.assertEqual(told[what], value)


class FramingTests(TestCase):
    """The pictures and the tables of framing.md are what the decoders do."""

    document = ROOT / "docs" / "framing.md"

    def test_reads(self) -> None:
        pictures = [each for each in blocks(self.document) if each.comment.startswith("reads: ")]
        self.assertEqual(len(pictures), 2)
        for picture in pictures:
            decoder = parse_framing(picture.comment.removeprefix("reads: ")).decoder()
            for line in picture.lines:
                found = re.fullmatch(r" +read \d +((?:[0-9a-f]{2} )+) +(.*)", line)
                assert found, line
                shown = "" if found[2] == "nothing yet" else found[2]
                self.assertEqual(
                    decoder.feed(bytes.fromhex(found[1])), ast.literal_eval(f"[{shown}]")
                )
            self.assertEqual(decoder.buffered, 0)

    def test_drawn_bytes(self) -> None:
        """The drawing of the two messages."""
        (drawn,) = (each for each in blocks(self.document) if "length: 5" in each.text)
        self.assertEqual(
            parse_framing("length-prefix").decoder().feed(bytes.fromhex(drawn.lines[0])),
            [b"hello", b"hi"],
        )

    def test_errors(self) -> None:
        """Each framing says what the table has it say."""
        wanted = ["framing", "the peer sent", "the error says"]
        (rows,) = (rows for head, rows in tables(self.document) if head == wanted)
        for name, sent, said in rows:
            decoder = parse_framing(name.strip("`")).decoder()
            with self.assertRaises(NetlabError) as caught:
                decoder.feed(ast.literal_eval(sent.strip("`")))
                decoder.feed(b"")  # what came after good messages is raised now
                decoder.eof()
            self.assertRegex(str(caught.exception) + "\n", pattern((said,)))

    def test_names(self) -> None:
        told = {each for each in table(self.document, "name", "class") if each in FRAMINGS}
        self.assertEqual(told, set(FRAMINGS))


class UnitFileTests(TestCase):
    """systemd's unit files can be parsed, and what they start does start."""

    def units(self) -> Iterator[tuple[str, configparser.ConfigParser, str]]:
        for block in blocks(ROOT / "docs" / "deployment.md"):
            if block.kind == "ini":
                parser = configparser.ConfigParser(strict=False, interpolation=None)
                parser.optionxform = str  # type: ignore[assignment, method-assign]
                parser.read_string(block.text)
                yield block.lines[0], parser, block.where

    def test_names(self) -> None:
        folder = "# /etc/systemd/system/"
        names = [name for name, _, _ in self.units()]
        wanted = ["netlab.service", "netlab.socket", "netlab.service.d/socket.conf"]
        self.assertEqual(names, [folder + each for each in wanted])

    def test_stop_is_patient(self) -> None:
        """systemd does not kill before the grace is over."""
        _, service, _ = next(self.units())
        self.assertGreater(float(service["Service"]["TimeoutStopSec"]), DEFAULT_GRACE)

    def test_start(self) -> None:
        folder = make_folder(self)
        ports = Ports()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            for _, unit, where in self.units():
                if unit.has_option("Service", "ExecStart"):
                    line = unit["Service"]["ExecStart"].replace("/opt/netlab/bin/", "")
                    handed = "systemd:" in line
                    if handed:  # the test's own socket is of IPv4
                        line = line.replace("INET6", "INET")
                        port = listening.getsockname()[1]
                    else:
                        port = ports.plain
                    server = Background(ports.command(line), folder, listening if handed else None)
                    self.addCleanup(server.stop)
                    server.wait_for(READY)
                    with connect(f"tcp:127.0.0.1:{port}") as client:
                        self.assertEqual(client.request(b"hello"), b"hello", where)


def read(name: str) -> str:
    return (ROOT / name).read_text()


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).strip().lower().replace(" ", "-") for each in headings}


def has_ipv6() -> bool:
    """Whether ``::1`` can be listened on."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
