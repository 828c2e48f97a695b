"""README.md and everything in docs/ is run, and must be as it says."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import ast
import configparser
import inspect
import json
import re
import shutil
import socket
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from unittest import SkipTest

from click import Option
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import TestCase

import netlab
import netlab.api
import netlab.datagram
import netlab.http
import netlab.impair
import netlab.ledger
from netlab import blocking, errors
from netlab.api.jsonrpc import MAX_CREDIT, TITLES, SessionLimits
from netlab.api.jsonrpc.state import MAX_ID
from netlab.blocking import Client, connect
from netlab.cli.ping import ping
from netlab.cli.rfc import rfc
from netlab.cli.send import send
from netlab.datagram import (
    DEFAULT_PORT,
    DatagramApp,
    DatagramClient,
    DatagramLimits,
    DatagramServer,
    DatagramStats,
)
from netlab.datagram.guard import ANSWERING_PORTS
from netlab.errors import ConfigurationError, NetlabError
from netlab.framing import DEFAULT_MAX_MESSAGE, FRAMINGS, parse_framing
from netlab.http import HttpLimits, HttpServer, Request
from netlab.impair import Conditions, Fate, Link, parse, parse_stream
from netlab.ledger import open_recorder
from netlab.message import Backoff, MessageClient, MessageFactory, MessageProtocol, MessageServer
from netlab.services import SERVICES
from netlab.services.cache import CacheOptions
from netlab.services.echo import EchoOptions
from netlab.services.message import MessageOptions
from netlab.services.rfc import RfcOptions
from netlab.transport import DEFAULT_GRACE, Limits, Stats

from ..examples.processes import BIN, READY, ROOT, Background, has_ipv6, make_folder
from .session import DOCUMENTS, Ports, Session, blocks, pattern, prose, table, tables

WIDTH = 80
"""What is printed must fit into a terminal of so many columns."""
OTHER_OPTIONS = {"--now", "--maxprocesses", "--raw", "--data-binary", "--cacert"}
"""Options of programs that are not ours: systemctl's, pytest's and curl's."""
INSIDE = {
    *("DEFAULT_PORT", "Direction", "load_application", "loopback"),
    *("Argument", "Calling", "MethodSchemas", "Passing", "Schemas", "WhenSlow", "Wire"),
}
"""Names that other parts of netlab use, and nobody else needs."""


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

    def test_datagrams(self) -> None:
        self.follow_in_examples("docs/datagrams.md")

    def test_datagram_apps(self) -> None:
        self.follow_in_examples("docs/datagram_apps.md")

    def test_impairments(self) -> None:
        self.follow("docs/impairments.md")

    def test_http(self) -> None:
        self.follow_in_examples("docs/http.md")

    def test_rfc_library(self) -> None:
        self.follow("docs/rfc_library.md")

    def test_caching(self) -> None:
        self.follow_in_examples("docs/caching.md")

    def test_api_classes(self) -> None:
        self.follow_in_examples("docs/api_classes.md")

    def test_other_languages(self) -> None:
        self.follow_in_examples("docs/other_languages.md")

    def test_examples(self) -> None:
        self.follow_in_examples("examples/README.md")

    def follow_in_examples(self, name: str) -> None:
        """The reader is in the folder ``examples``."""
        folder = make_folder(self)
        shutil.copytree(
            ROOT / "examples", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__*")
        )
        self.follow(name, folder)

    def test_every_block_is_run(self) -> None:
        """No block of another kind, and none in a document that no test follows."""
        followed = {"README.md", "examples/README.md"}
        messages = ("tutorial", "framing", "testing", "deployment", "api")
        apis = ("api_classes", "other_languages")
        datagrams = ("datagrams", "datagram_apps", "impairments")
        http = ("http", "rfc_library", "caching")
        followed |= {f"docs/{each}.md" for each in (*messages, *apis, *datagrams, *http)}
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
        "&& .venv/bin/python -m pytest -n auto --maxprocesses=4"
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
        """deployment.md has each option of the services, with its default."""
        for options, *headings in (
            (MessageOptions(), "Options"),
            (EchoOptions(), "Datagrams"),
            (RfcOptions(), "HTTP services", "An RFC library"),
            (CacheOptions(), "HTTP services", "A cache"),
        ):
            told: dict[str, list[str]] = {}
            for after in headings:
                told |= table(self.deployment, "option", "default", "meaning", after=after)
            real = {each.rstrip("=") for each in options.longOpt}
            self.assertEqual({each[2:] for each in told if each.startswith("--")}, real)
            for short in (each for each in told if not each.startswith("--")):
                self.assertIn(short[1:], options.synonyms)
            for name in real - {"listen", "host", "help", "version"}:
                shown = told[f"--{name}"][0].strip("`")
                self.assert_default(shown, options.defaults[name], str(options.docs[name]))

    def assert_default(self, shown: str, default: object, description: str) -> None:
        if default is None:  # then the description says it
            found = re.search(r"\[default: (.*)\]", description)
            told = [found[1]] if found else ["nothing", "nowhere", "drawn"]
            self.assertIn(shown, told, description)
        elif isinstance(default, float):
            self.assertEqual(float(shown), default, description)
        else:
            self.assertEqual(shown, "off" if default == 0 else str(default), description)

    def test_ping_options_are_told(self) -> None:
        """datagrams.md has each option of ``netlab ping``, with its default."""
        told = table(ROOT / "docs" / "datagrams.md", "option", "default", "meaning")
        real = {each for parameter in ping.params for each in parameter.opts if "-" in each}
        self.assertEqual(set(told), real | {"--help", "-h"})
        for parameter in ping.params:
            shown = told.get(parameter.opts[-1], [""])[0]
            if isinstance(parameter, Option) and shown and not shown.startswith("until"):
                found = re.search(r"\[default: (.*)\]", parameter.help or "")
                default = found[1] if found else str(parameter.default)
                self.assertEqual(float(shown), float(default), parameter.name)

    def test_told_options_exist(self) -> None:
        known = set(OTHER_OPTIONS)
        services = [options() for options, _ in SERVICES.values()]
        for options in (*services, ServerOptions()):
            known |= {f"--{each.rstrip('=')}" for each in options.longOpt}
        for command in (send, ping, *rfc.commands.values()):
            for parameter in command.params:
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
        rates = table(self.api, "field of `DatagramLimits`", "default")
        self.assertEqual(list(rates), [each.name for each in fields(DatagramLimits)])
        for limit in fields(DatagramLimits):
            self.assertEqual(rates[limit.name][0], f"`{limit.default!r}`")
        http = table(self.api, "field of `HttpLimits`", "default")
        own = {each.name: each for each in fields(HttpLimits)}
        inherited = {each.name: each.default for each in fields(Limits)}
        changed = [name for name in own if inherited.get(name, ...) != own[name].default]
        self.assertEqual(sorted(http), sorted(changed))
        for name, (shown, _) in http.items():
            self.assertEqual(shown, f"`{own[name].default!r}`")
        for owner in (netlab.api.SessionLimits, netlab.api.Options):
            told = table(self.api, f"field of `{owner.__name__}`", "default")
            self.assertEqual(list(told), [each.name for each in fields(owner)])
            for field in fields(owner):
                self.assertEqual(told[field.name][0], f"`{field.default!r}`")
        counted = table(self.api, "field of `DatagramStats`", "counts")
        self.assertEqual(list(counted), [each.name for each in fields(DatagramStats)])

    def test_causes(self) -> None:
        """deployment.md has each cause that ``DatagramStats.dropped`` counts."""
        told = set(table(self.deployment, "cause", "means"))
        doc = inspect.getdoc(DatagramStats) or ""
        _, _, causes = doc.partition("\ndropped ")
        real = set(re.findall(r"``(\w+)``", causes.partition("\nerrors ")[0])) - {"max_pending"}
        both = {f"{way}{each}" for way in ("in_", "out_") for each in ("loss", "limit")}
        self.assertEqual(told, real - {"loss", "limit", "in_", "out_"} | both)
        for port in {*ANSWERING_PORTS, DEFAULT_PORT}:
            self.assertIn(str(port), table(self.deployment, "cause", "means")["source_port"][0])

    def test_names(self) -> None:
        """What api.md says an object has, it has; and every public name is there."""
        for owner, head in (
            (MessageProtocol, ("hook",)),
            (MessageProtocol, ("call or attribute",)),
            (MessageFactory, ("name", "is")),
            (MessageServer, ("of `MessageServer`",)),
            (MessageClient, ("of `MessageClient`",)),
            (Client, ("of `Client`",)),
            (DatagramApp, ("hook of `DatagramApp`",)),
            (DatagramApp, ("call or attribute of it",)),
            (DatagramServer, ("of `DatagramServer`",)),
            (DatagramClient, ("of `DatagramClient`",)),
            (blocking.DatagramClient, ("of `DatagramClient`",)),
            (HttpServer, ("of `HttpServer`",)),
            (Request, ("of `Request`",)),
            (netlab.api.Context, ("of `Context`",)),
            (netlab.api.ApiClient, ("of `ApiClient`",)),
        ):
            for told in table(self.api, *head):
                name = re.sub(r"\(.*|await |.* in ", "", told)
                if name != "client":
                    known = hasattr(owner, name) or name in owner.__annotations__
                    known = known or f" self.{name} = " in inspect.getsource(owner)
                    self.assertTrue(known, f"{owner.__name__}.{name}")
        text = self.api.read_text()
        for module in (
            netlab,
            netlab.api,
            netlab.datagram,
            netlab.http,
            netlab.impair,
            netlab.ledger,
        ):
            for name in module.__all__:
                if name not in INSIDE:
                    self.assertIn(name, text)

    def test_client_arguments(self) -> None:
        """Those of both datagram clients are told, with their defaults."""
        told = table(ROOT / "docs" / "datagram_apps.md", "argument", "default")
        for client in (DatagramClient, blocking.DatagramClient):
            arguments = inspect.signature(client).parameters
            self.assertEqual(set(told), set(arguments) - {"reactor"})
            for name, argument in arguments.items():
                if name not in ("target", "reactor"):
                    self.assertEqual(told[name][0], f"`{argument.default!r}`")

    def test_arguments_of_apis(self) -> None:
        """Those of servers and clients of an ``Api``, with their defaults."""
        ours = set(inspect.signature(netlab.api.connect).parameters)
        ours -= set(inspect.signature(netlab.message.connect).parameters)
        for owner, head, names in (
            (netlab.api.ApiFactory, "of `ApiFactory`", None),
            (netlab.api.connect, "of `netlab.api.connect`", ours - {"endpoint", "api"}),
        ):
            told = table(self.api, f"argument {head}", "default")
            arguments = inspect.signature(owner).parameters
            self.assertEqual(set(told), set(arguments) if names is None else names)
            for name, (shown, _) in told.items():
                default = arguments[name].default
                self.assertEqual(shown, "" if name == "api" else f"`{default!r}`")

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
        http = HttpLimits()
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
            ("datagrams from one source", f"{DatagramLimits().source_rate:,} a second"),
            (
                "the head of an HTTP request",
                f"{http.frame_timeout:g} s, {http.max_head // 1024} KiB, {http.max_fields} fields",
            ),
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


class OtherLanguagesTests(TestCase):
    """other_languages.md says the same of the wire as netlab does on it."""

    document = ROOT / "docs" / "other_languages.md"

    def rows(self, first: str) -> list[list[str]]:
        """Of the table with this heading."""
        (found,) = (rows for head, rows in tables(self.document) if head[0] == first)
        return found

    def test_codes(self) -> None:
        told = {int(code): message for code, message, *_ in self.rows("code")}
        self.assertEqual(told, TITLES)

    def test_limits(self) -> None:
        numbers = {name: int(value.replace(",", "")) for name, value, _ in self.rows("limit")}
        session, limits = SessionLimits(), Limits()
        self.assertEqual(
            numbers,
            {
                "bytes of a message": DEFAULT_MAX_MESSAGE,
                "requests in flight": session.max_in_flight,
                "subscriptions": session.max_subscriptions,
                "requests in a batch": session.max_batch,
                "arrays and objects in each other": session.max_depth,
                "bytes of an id": MAX_ID,
                "credit of a subscription": MAX_CREDIT,
                "seconds for one message to arrive": limits.frame_timeout,
                "seconds of silence, with nothing under way": limits.idle_timeout,
                "seconds in which a client takes nothing of what waits for it": (
                    limits.write_timeout
                ),
            },
        )

    def test_framings(self) -> None:
        """The bytes of the call, in each framing."""
        call = b'{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}'
        rows = self.rows("`--framing`")
        self.assertEqual({name for name, _, _ in rows}, {f"`{each}`" for each in FRAMINGS})
        for name, shown, _ in rows:
            sent = parse_framing(name.strip("`")).encode(call).hex(" ")
            wanted = ".*".join(re.escape(each) for each in shown.strip("`").split("…"))
            self.assertRegex(sent, f"^{wanted}$")


class ImpairmentTests(TestCase):
    """impairments.md has the words that there are, and says what they mean."""

    document = ROOT / "docs" / "impairments.md"

    def test_words(self) -> None:
        for after, read in (("Words for datagrams", parse), ("Words for streams", parse_stream)):
            error = self.assertRaises(ConfigurationError, read, "unheard-of")
            known = str(error).rpartition("the known ones are ")[2].split(", ")
            self.assertEqual(set(table(self.document, "word", after=after)), set(known))
            ((head, rows), *_) = tables(self.document, after)
            for row in rows:
                read(row[head.index("example")].strip("`"))

    def test_fates(self) -> None:
        """The words that a fate is told in are in the table, and no others."""
        told = {re.sub(r" ([\d.]+ ms|\d+|CAUSE)$", "", each) for each in self.fates()}
        link = Link(parse("limit 1").outward or Conditions(), seed=0, direction="out")
        spoiled = Fate(0, None, (0.0, 0.0), 17, True).words()
        real = {"received", "sent", "dropped: loss", "dropped:", "refused:"}
        real |= {re.sub(r" \d+$", "", each) for each in spoiled.split(", ")}
        real |= {Fate(0, None, (0.04,), None, False).words().split()[0]}
        real |= {link.offer(0.0, ("192.0.2.1", 7), b"").words() for _ in range(2)}
        self.assertEqual(told, real - {"delivered"})  # the ledger says "received" or "sent"

    def fates(self) -> list[str]:
        return list(table(self.document, "fate", "means"))

    def test_keys(self) -> None:
        """A line of the ledger has the keys that are told, in their order."""
        folder = make_folder(self)
        recorder = open_recorder(folder / "fates.jsonl")
        here = ("192.0.2.1", 7)
        recorder.datagram("in", here, here, b"", "received", index=0, delay_ms=[0.0])
        recorder.close()
        line = json.loads((folder / "fates.jsonl").read_text())
        self.assertEqual(list(table(self.document, "key", "is")), list(line))


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
        wanted.append("netlab-rfc.service")
        self.assertEqual(names, [folder + each for each in wanted])

    def test_stop_is_patient(self) -> None:
        """systemd does not kill before the grace is over."""
        for name, unit, where in self.units():
            if name.endswith(".service"):
                patience = float(unit["Service"]["TimeoutStopSec"])
                self.assertGreater(patience, DEFAULT_GRACE, where)

    def test_start(self) -> None:
        folder = make_folder(self)
        ports = Ports()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            for _, unit, where in self.units():
                if unit.has_option("Service", "ExecStart") and "netlab message" in str(
                    unit["Service"]["ExecStart"]
                ):
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

    def test_start_http(self) -> None:
        """The folders that systemd makes are those that the service is told to use."""
        folder = make_folder(self)
        (unit,) = (unit for name, unit, _ in self.units() if name.endswith("netlab-rfc.service"))
        service = unit["Service"]
        line = service["ExecStart"].replace("/opt/netlab/bin/", "").replace("\\\n", " ")
        for option, base in (("CacheDirectory", "/var/cache"), ("LogsDirectory", "/var/log")):
            there = f"{base}/{service[option]}"
            self.assertIn(there, line)
            line = line.replace(there, str(folder))
        ports = Ports()
        server = Background(ports.command(f"{line} --offline"), folder)
        self.addCleanup(server.stop)
        server.wait_for(READY)
        self.assertTrue((folder / "access.log").exists())


def read(name: str) -> str:
    return (ROOT / name).read_text()


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).strip().lower().replace(" ", "-") for each in headings}
