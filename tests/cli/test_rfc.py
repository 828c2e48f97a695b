# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import functools
import os
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import click
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

import netlab.cli.rfc as module
import netlab.rfc.mirroring as mirroring
from netlab.cli import Failed, main
from netlab.cli.mirrored import failures_text, report_text
from netlab.rfc.direct import Direct
from netlab.rfc.mirroring import Report
from netlab.rfc.names import parse_name
from tests.rfc.support import text
from tests.rfc.upstream import Answer, Upstream, editor


class RfcCase(SynchronousTestCase):
    """Has an upstream, and nobody else; a cache if ``cache`` is set."""

    def setUp(self) -> None:
        self.upstream = Upstream(editor())
        self.addCleanup(self.upstream.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.cache: Path | None = None
        self.patch(module, "default_folder", lambda: self.cache)
        self.patch(os, "environ", dict(os.environ))
        self.patch(os, "fsync", lambda _: None)

    def run_it(self, *arguments: str) -> Result:
        upstream = [] if "--upstream" in arguments else ["--upstream", self.upstream.base]
        return CliRunner().invoke(main, ["rfc", *arguments, *upstream])

    def shows(self, *arguments: str) -> str:
        result = self.run_it(*arguments)
        self.assertEqual(result.exit_code, 0, result.output)
        for line in result.stdout.splitlines():
            self.assertLessEqual(len(line), 80)
        return result.stdout

    def fails(self, *arguments: str, status: int = 1) -> str:
        result = self.run_it(*arguments)
        self.assertEqual((result.exit_code, result.stdout), (status, ""))
        return result.stderr


class Reading(RfcCase):
    def test_a_document(self) -> None:
        result = self.run_it("2324")
        self.assertIn("Hyper Text Coffee Pot Control Protocol", result.stdout)
        self.assertNotIn("\f", result.stdout)
        self.assertNotIn("[Page ", result.stdout)
        self.assertEqual(
            result.stderr,
            "RFC 2324 is updated by RFC 7168.\nErrata were reported: netlab rfc info 2324\n",
        )

    def test_names(self) -> None:
        shown = self.shows("2324")
        for name in ("rfc2324", "RFC 02324", "https://www.ietf.org/rfc/rfc2324"):
            self.assertEqual(self.shows(name), shown)
        self.assertEqual(self.shows("RFC", "2324"), shown)

    def test_a_section(self) -> None:
        self.assertEqual(
            self.shows("2119", "--section", "2.1"), "2.1.  Kettles\n\n   They whistle.\n"
        )
        self.assertEqual(self.shows("-s", "Kettles", "2119"), self.shows("2119", "-s", "2.1"))
        self.assertEqual(
            self.fails("2119", "-s", "7"), "netlab: there is no section '7'; there are 1, 2\n"
        )
        self.assertIn("leave its format out", self.fails("2119.txt", "-s", "1", status=2))

    def test_files(self) -> None:
        result = self.run_it("2324", "--format", "txt")
        self.assertEqual((result.stdout_bytes, result.stderr), (text(2324), ""))
        for arguments in (("9110", "-f", "pdf"), ("rfc9110.pdf",)):
            result = self.run_it(*arguments)
            self.assertEqual(result.stdout_bytes, b"%PDF-1.5\n\xff\xfe\n")

    def test_a_series(self) -> None:
        shown = self.shows("bcp14")
        self.assertIn(" 2119   Key words for use in RFCs", shown)
        self.assertIn(" 8174   Ambiguity of Uppercase", shown)
        self.assertIn("name the one with the section", self.fails("bcp14", "-s", "1"))
        self.assertIn("Request for Comments: 9110", self.shows("std97"))

    def test_errors(self) -> None:
        host = self.upstream.host
        self.assertIn("'coffee' names no RFC; write for example 2324", self.fails("coffee"))
        self.assertIn("; to look for it: netlab rfc search coffee pot", self.fails("coffee", "pot"))
        self.assertNotIn("search", self.fails("rfc2324x"))
        self.assertEqual(
            self.fails("99999"),
            f"netlab: {host} has no RFC 99999: it does not exist, or not yet\n",
        )
        self.assertIn("has no RFC 2324 as html", self.fails("2324", "--format", "html"))
        self.assertIn("it is not in the cache", self.fails("2324", "--offline"))
        self.upstream.pages["/rfc/rfc768.txt"] = Answer(status=403)
        self.assertEqual(
            self.fails("768"), f"netlab: RFC 768 cannot be had: {host} answers 403 Forbidden\n"
        )
        self.assertIn("is not the URL of a folder of RFCs", self.fails(
            "1", "--upstream", "ftp://x", status=2))  # fmt: skip
        self.assertIn("leave --upstream out", self.fails("1", "--server", "x", status=2))
        self.assertIn("Invalid value for '-f' / '--format'", self.fails("1", "-f", "doc", status=2))

    def test_stale(self) -> None:
        self.cache = self.folder / "cache"
        self.shows("2324")
        self.upstream.pages["/rfc/rfc2324.txt"] = Answer(status=503)
        future = functools.partial(Direct, clock=lambda: time.time() + 365 * 86_400)
        self.patch(module, "Direct", future)
        result = self.run_it("2324")
        self.assertIn("Coffee", result.stdout)
        self.assertTrue(
            result.stderr.startswith(
                f"netlab: {self.upstream.host} answers 503 Service Unavailable; RFC 2324 is shown"
            )
        )

    def test_the_cache_is_free_while_a_person_reads(self) -> None:
        self.cache = self.folder / "cache"
        seen: list[Result | None] = []
        show = module._Page.show

        def showing(page: module._Page) -> None:
            if not seen:
                seen.append(None)
                seen.append(self.run_it("2324", "--offline"))
            show(page)

        self.patch(module._Page, "show", showing)
        self.shows("2324")
        [_, meanwhile] = seen
        assert meanwhile is not None
        self.assertEqual(meanwhile.exit_code, 0, meanwhile.output)


class Terminals(RfcCase):
    """At a terminal, as far as the program can tell."""

    def setUp(self) -> None:
        super().setUp()
        self.paged: list[str] = []
        os.environ.pop("LESS", None)
        self.patch(module, "_is_terminal", lambda: True)
        self.patch(click, "echo_via_pager", self.paged.append)

    def test_a_document(self) -> None:
        self.run_it("2324")
        [shown] = self.paged
        self.assertTrue(shown.startswith("\x1b[1mRFC 2324 is updated by RFC 7168.\x1b[0m\n"))
        self.assertIn("\n\n\x1b[1m2.1", shown)
        self.assertTrue(os.environ["LESS"].startswith("-FRX -PsRFC 2324?e (end)."))

    def test_less_as_the_user_wants_it(self) -> None:
        os.environ["LESS"] = "-S"
        self.run_it("2324")
        self.assertEqual(os.environ["LESS"], "-S")

    def test_files(self) -> None:
        with mock.patch.object(sys, "stdout", mock.Mock(encoding="utf-8")):
            module._write(parse_name("rfc768.txt"), b"tea\x1b[2J\n\x07\tx\xe2\x80\xae\n")
            self.assertRaises(Failed, module._write, parse_name("rfc1.pdf"), b"%PDF")
        self.assertEqual(self.paged, ["tea[2J\n        x\\u202e\n"])

    def test_an_old_terminal(self) -> None:
        with mock.patch.object(sys, "stdout", mock.Mock(encoding="ascii")):
            self.assertEqual(module._encodable("a\u2014b"), "a\\u2014b")


class Finding(RfcCase):
    def test_search(self) -> None:
        shown = self.shows("search", "coffee", "pot")
        self.assertIn("1 to 2 of 2\n\n 2324   Hyper Text Coffee Pot Control Protocol", shown)
        self.assertNotIn("7168", self.shows("search", "-n", "1", "coffee"))
        result = self.run_it("search", "xylophone")
        self.assertEqual((result.exit_code, result.stdout), (1, "Nothing was found.\n"))

    def test_options_before_the_word(self) -> None:
        for options in (("--count", "1"), ("-n", "1"), ("--count=1",)):
            shown = self.shows(*options, "search", "coffee")
            self.assertEqual(shown, self.shows("search", "coffee", "-n", "1"))
        self.assertEqual(self.shows("-s", "2.1", "2119"), self.shows("2119", "-s", "2.1"))

    def test_info(self) -> None:
        shown = self.shows("info", "2324")
        self.assertIn("RFC 2324 is updated by RFC 7168.\nOne erratum was reported.", shown)
        self.assertIn("Authors   L. Masinter", shown)
        self.assertIn("Section 2.1; Verified", shown)
        self.assertEqual(self.shows("/info/rfc2324"), shown)
        self.assertIn(" 8174   Ambiguity", self.shows("info", "bcp14"))
        self.assertIn("has no RFC 1:", self.fails("info", "1"))


class Servers(RfcCase):
    def serve(self, name: str) -> str:
        self.upstream.server_name = name
        self.upstream.pages["/api/status"] = b'{"documents": 1, "offline": false}'
        self.upstream.pages["/api/rfc2324"] = Answer(b'{"error": "no"}', 404)
        return f"http://{self.upstream.host}"

    def ask(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["rfc", *arguments])

    def test_the_one_that_runs(self) -> None:
        self.patch(module, "DEFAULT_SERVER", self.serve("netlab/1.0"))
        result = self.ask("2324", "--format", "txt")
        self.assertEqual((result.stdout_bytes, result.stderr), (text(2324), ""))
        self.assertEqual(self.upstream.paths, ["/api/status", "/rfc/rfc2324.txt"])

    def test_a_foreign_one(self) -> None:
        self.patch(module, "DEFAULT_SERVER", self.serve("Apache"))
        self.patch(module, "DEFAULT_UPSTREAM", self.upstream.base)
        self.assertEqual(self.ask("rfc2324.txt").stdout_bytes, text(2324))
        self.assertEqual(self.upstream.paths, ["/api/status", "/rfc/rfc2324.txt"])

    def test_the_one_that_is_named(self) -> None:
        url = self.serve("netlab/1.0")
        for server in (url, self.upstream.host, f"{url}/"):
            result = self.ask("rfc2324.txt", "--server", server)
            self.assertEqual(result.stdout_bytes, text(2324), result.stderr)
        self.serve("Apache")
        result = self.ask("rfc2324.txt", "--server", url)
        said = f"netlab: no server of RFCs answers at {url}; start one with "
        self.assertEqual((result.exit_code, result.stderr), (1, said + '"twistd -n netlab rfc"\n'))
        self.assertEqual(self.ask("1", "--server", "ftp://x").exit_code, 2)


class Mirror(RfcCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(os, "sync", lambda: None)

    def mirror(self, *arguments: str) -> Result:
        return self.run_it("mirror", str(self.folder / "rfc"), *arguments)

    def test_all(self) -> None:
        result = self.mirror()
        there = f"16 files in {self.folder / 'rfc'}: "
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        searchable = "14 texts can be searched\n"
        self.assertEqual(result.stdout, f"{there}16 fetched\n{searchable}")
        self.assertEqual(
            self.mirror().stdout,
            f"{there}0 fetched, 2 not changed, 14 there before\n{searchable}",
        )

    def test_no_search(self) -> None:
        """The documents are there all the same."""
        (self.folder / "rfc" / ".netlab-mirror" / "search.sqlite").mkdir(parents=True)
        result = self.mirror()
        self.assertEqual((result.exit_code, result.stdout.count("\n")), (1, 1))
        self.assertIn("16 files in ", result.stdout)
        said = "netlab: not all texts can be searched: search index "
        self.assertTrue(" ".join(result.stderr.split()).startswith(said), result.stderr)

    def test_failures(self) -> None:
        for number in (768, 793):
            del self.upstream.pages[f"/rfc/rfc{number}.txt"]
        result = self.mirror("--jobs", "1", "--format", "txt")
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(
            result.stderr, "netlab: rfc768.txt, rfc793.txt: the upstream has no such file\n"
        )
        self.assertIn("14 of 16 files in ", result.stdout)

    def test_no_upstream(self) -> None:
        del self.upstream.pages["/rfc-index.xml"]
        result = self.mirror()
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertTrue(result.stderr.startswith("netlab: there is no index: it is neither"))

    def test_interrupted(self) -> None:
        def run(running: mirroring.Mirroring, progress: object) -> None:
            running.report.total, running.report.fetched = 9508, 512
            raise KeyboardInterrupt

        self.patch(mirroring.Mirroring, "run", run)
        result = self.mirror()
        self.assertEqual(result.exit_code, 130)
        self.assertEqual(
            result.stderr,
            "netlab: interrupted; 512 of 9,508 files are there, and the same command goes on\n",
        )

    def test_usage(self) -> None:
        self.assertEqual(self.mirror("--jobs", "0").exit_code, 2)
        self.assertEqual(self.mirror("--format", "doc").exit_code, 2)
        (self.folder / "rfc").write_text("")
        self.assertIn("is a file", self.mirror().stderr)

    def test_what_is_listed(self) -> None:
        names = [*(f"rfc{n}.txt" for n in (8, 1, 3, 2, 9, 10_000)), "rfc1.pdf", "errata.json"]
        report = Report(10, failed=[(name, "it\x1b breaks off") for name in names], why="x" * 100)
        lines = list(failures_text(report))
        self.assertEqual(
            lines[:2],
            [
                "netlab: errata.json, rfc1.txt to rfc3.txt, rfc8.txt to rfc9.txt, rfc10000.txt,",
                "  rfc1.pdf: it\\x1b breaks off",
            ],
        )
        self.assertIn("netlab: stopped asking:", lines[2])
        self.assertEqual(
            report_text(report, "a\nb"),
            "0 of 10 files in a\\nb: 0 fetched, 8 failed, 2 not asked for",
        )


class Help(SynchronousTestCase):
    def help(self, *arguments: str) -> str:
        result = CliRunner().invoke(main, ["rfc", *arguments], terminal_width=80)
        for line in result.output.splitlines():
            self.assertLessEqual(len(line), 80)
        return result.output

    def test_help(self) -> None:
        shown = self.help("--help")
        self.assertIn("Usage: main rfc [OPTIONS] NAME", shown)
        for part in ("--section", "search  ", "info  ", "mirror  ", "--offline"):
            self.assertIn(part, shown)
        self.assertNotIn("read ", shown.partition("Commands:")[2])
        self.assertEqual(self.help("-h"), shown)
        self.assertEqual(self.help(), shown)
        self.assertEqual(self.help("2324", "--help").count("Usage:"), 1)

    def test_of_the_others(self) -> None:
        self.assertIn("--count", self.help("search", "--help"))
        self.assertIn("--jobs", self.help("mirror", "--help"))
        wrong = self.help("2324", "--sextion", "1")
        self.assertIn("No such option", wrong)
        self.assertTrue(
            wrong.startswith("Usage: main rfc [OPTIONS] NAME...\nTry 'main rfc --help'")
        )
        self.assertIn("Missing argument", self.help("search"))
