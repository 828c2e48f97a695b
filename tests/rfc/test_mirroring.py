from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

import netlab.rfc.mirroring as module
from netlab.errors import ConfigurationError
from netlab.rfc import copying, indexing
from netlab.rfc.asking import Asker, NotThere, OutOfReach
from netlab.rfc.entries import Index
from netlab.rfc.freshness import DOCUMENT_LIFETIME
from netlab.rfc.index import IndexReader
from netlab.rfc.indexing import Indexing
from netlab.rfc.mirroring import Mirroring, Report
from netlab.rfc.names import Form
from netlab.rfc.records import Records, search_of
from netlab.rfc.search import Search
from tests.rfc.support import index_data
from tests.rfc.upstream import Answer, Asked, Upstream, editor

NOW = 1_790_000_000.0
DOCUMENTS = 14
FILES = DOCUMENTS + 2  # the index and the errata


def report_of(total: int = FILES, **counts: Any) -> Report:
    """The report when all documents are there."""
    return Report(total, searchable=DOCUMENTS, **counts)


class MirroringCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.upstream = Upstream(editor())
        self.addCleanup(self.upstream.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name, "mirror")
        self.now = NOW
        self.told: list[str] = []
        self.patch(os, "sync", lambda: None)  # of all disks of this machine

    def mirroring(self, *forms: Form, **options: Any) -> Mirroring:
        mirroring = Mirroring(
            self.upstream.base,
            self.folder,
            forms or (Form.TXT,),
            **{"told": self.told.append, "rest": 0.001, "clock": lambda: self.now, **options},
        )
        self.addCleanup(mirroring.close)
        return mirroring

    def mirror(self, *forms: Form, **options: Any) -> Report:
        self.upstream.asked.clear()
        mirroring = self.mirroring(*forms, **options)
        try:
            return mirroring.run()
        finally:
            mirroring.close()

    def names(self) -> set[str]:
        """What is in the folder, for those who look there."""
        return {each for each in os.listdir(self.folder) if not each.startswith(".")}

    def is_whole(self) -> bool:
        """Whether what is in the folder is what the upstream has."""
        for name in self.names():
            above = name in ("rfc-index.xml", "errata.json")
            page = self.upstream.pages[f"/{name}" if above else f"/rfc/{name}"]
            if (self.folder / name).read_bytes() != page:
                return False
        return os.listdir(self.folder / ".netlab-mirror") != []


class Whole(MirroringCase):
    def test_all(self) -> None:
        report = self.mirror()
        self.assertEqual(report, report_of(fetched=FILES))
        self.assertEqual(len(self.names()), FILES)
        self.assertTrue(self.is_whole())
        self.assertLessEqual(self.upstream.connections, 4)
        self.assertEqual(
            {each.fields["user-agent"][:7] for each in self.upstream.asked}, {"netlab/"}
        )

    def test_again(self) -> None:
        self.mirror()
        report = self.mirror()
        self.assertEqual(report, report_of(kept=DOCUMENTS, same=2))
        self.assertEqual({path.rpartition("/")[2] for path in self.upstream.paths},
                         {"rfc-index.xml", "errata.json"})  # fmt: skip

    def test_a_week_later(self) -> None:
        self.mirror()
        self.now += DOCUMENT_LIFETIME + 1
        self.upstream.pages["/rfc/rfc768.txt"] = b"another edition"
        self.assertEqual(self.mirror(), report_of(same=FILES - 1, fetched=1))
        self.assertTrue(self.is_whole())
        self.assertEqual(self.mirror().kept, DOCUMENTS)

    def test_formats(self) -> None:
        for path in [path for path in self.upstream.pages if path.endswith(".txt")]:
            self.upstream.pages[path.replace(".txt", ".html")] = b"<p>"
            self.upstream.pages[path.replace(".txt", ".json")] = b"{}"
        report = self.mirror(Form.HTML, Form.JSON, Form.HTML)
        self.assertEqual((report.fetched, report.failed), (2 + 2 * DOCUMENTS, []))
        # The index says which documents are there as XML.
        self.assertEqual(self.mirror(Form.XML).total, 2 + 3)

    def test_damaged(self) -> None:
        self.mirror()
        (self.folder / "rfc768.txt").write_bytes(b"half of i")
        (self.folder / "rfc793.txt").unlink()
        self.assertEqual(
            self.mirror(),
            report_of(kept=DOCUMENTS - 2, same=2, fetched=2),
        )
        self.assertTrue(self.is_whole())

    def test_from_elsewhere(self) -> None:
        self.folder.mkdir()
        page = self.upstream.pages["/rfc/rfc768.txt"]
        assert isinstance(page, bytes)
        file = self.folder / "rfc768.txt"
        file.write_bytes(page)
        os.utime(file, (1, 1))
        (self.folder / "notes").write_text("mine")
        self.assertEqual(self.mirror(), report_of(same=1, fetched=FILES - 1))
        self.assertEqual(file.stat().st_mtime, 1)
        self.assertEqual((self.folder / "notes").read_text(), "mine")

    def test_progress(self) -> None:
        seen: list[tuple[int, int]] = []
        self.patch(module, "_BATCH", 4)
        mirroring = self.mirroring()
        mirroring.run(lambda report: seen.append((report.done, report.total)))
        self.assertEqual(seen[-1], (FILES, FILES))
        self.assertGreaterEqual(len(seen), 3)
        self.assertEqual(seen, sorted(seen))

    def test_an_index_in_pieces(self) -> None:
        """What the first one names is asked for before the last one is read."""
        self.patch(module, "_PIECE", 4000)
        steps: list[str] = []

        def close(reader: IndexReader) -> Index:
            steps.append("read")
            return read(reader)

        def begin(asker: Asker, *arguments: Any) -> None:
            steps.append("asked")
            begun(asker, *arguments)

        read, begun = IndexReader.close, Asker.begin
        self.patch(IndexReader, "close", close)
        self.patch(Asker, "begin", begin)
        self.assertEqual(self.mirror(), report_of(fetched=FILES))
        self.assertGreaterEqual(steps.index("read"), 3 + 4)  # the listings, and each connection
        self.assertTrue(self.is_whole())


class Listings(MirroringCase):
    def test_beside(self) -> None:
        self.upstream.pages["/rfc/rfc-index.xml"] = self.upstream.pages.pop("/rfc-index.xml")
        self.assertEqual(self.mirror().failed, [])

    def test_no_index(self) -> None:
        del self.upstream.pages["/rfc-index.xml"]
        error = self.assertRaises(NotThere, self.mirror)
        self.assertIn("there is no index: it is neither at http", str(error))

    def test_wrong_ones_do_not_get_there(self) -> None:
        self.mirror()
        self.upstream.pages["/errata.json"] = b"<html>"
        [(name, why)] = self.mirror().failed
        self.assertEqual((name, "no list" in why), ("errata.json", True))
        self.upstream.pages["/rfc-index.xml"] = b"<html>"
        self.assertIn("this is no index", str(self.assertRaises(OutOfReach, self.mirror)))
        self.assertEqual((self.folder / "rfc-index.xml").read_bytes(), index_data())
        self.patch(module, "_PIECE", 4000)
        self.upstream.pages["/rfc-index.xml"] = index_data()[:-10]
        self.assertIn("the index is broken", str(self.assertRaises(OutOfReach, self.mirror)))
        self.assertEqual((self.folder / "rfc-index.xml").read_bytes(), index_data())
        self.assertTrue((self.folder / "errata.json").read_bytes().startswith(b"["))

    def test_errata_that_fail(self) -> None:
        self.upstream.pages["/errata.json"] = Answer(status=500)
        self.upstream.pages["/rfc/errata.json"] = Answer(status=500)
        report = self.mirror()
        self.assertEqual((report.fetched, report.done, report.total), (FILES - 1, FILES, FILES))
        self.assertEqual([name for name, _ in report.failed], ["errata.json"])

    def test_a_document_twice(self) -> None:
        data = index_data()
        begin, end = data.index(b"<rfc-entry>"), data.rindex(b"</rfc-entry>") + len("</rfc-entry>")
        twice = data[:end] + data[begin:end] + data[end:]
        self.upstream.pages["/rfc-index.xml"] = twice
        self.assertEqual(self.mirror(), report_of(fetched=FILES))

    def test_no_errata(self) -> None:
        del self.upstream.pages["/errata.json"]
        report = self.mirror()
        self.assertEqual(report, report_of(total=FILES - 1, fetched=FILES - 1))
        self.assertIn("has no errata.json", self.told[0])

    def test_out_of_reach(self) -> None:
        self.upstream.pages["/rfc/rfc-index.xml"] = Answer(status=503)
        error = self.assertRaises(OutOfReach, self.mirror)
        self.assertEqual(str(error), f"{self.upstream.host} answers 503 Service Unavailable")
        self.assertEqual(len(self.upstream.asked), 1)


class Failures(MirroringCase):
    def test_missing(self) -> None:
        del self.upstream.pages["/rfc/rfc768.txt"]
        report = self.mirror()
        self.assertEqual(report.failed, [("rfc768.txt", "the upstream has no such file")])
        self.assertEqual((report.fetched, report.done, report.why), (FILES - 1, FILES, ""))
        self.assertEqual(self.upstream.paths.count("/rfc/rfc768.txt"), 1)

    def test_one_that_always_fails(self) -> None:
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
        self.upstream.pages["/rfc/rfc768.txt"] = Answer(raw=raw)
        report = self.mirror(jobs=1)
        [(name, why)] = report.failed
        self.assertEqual((name, "breaks off" in why), ("rfc768.txt", True))
        self.assertNotIn("rfc768.txt", self.names())
        self.assertEqual(self.upstream.paths.count("/rfc/rfc768.txt"), 3)

    def test_one_that_fails_once(self) -> None:
        def once(asked: Asked) -> Answer:
            first = self.upstream.paths.count(asked.path) == 1
            return Answer(b"oh", 503, (("Retry-After", "0"),)) if first else Answer(b"tea")

        self.upstream.pages["/rfc/rfc768.txt"] = once
        self.assertEqual(self.mirror(), report_of(fetched=FILES))

    def test_it_stops_asking(self) -> None:
        for path in self.upstream.pages:
            if path.endswith(".txt"):
                self.upstream.pages[path] = Answer(status=500)
        report = self.mirror(jobs=2)
        self.assertIn("6 times in a row", report.why)
        self.assertLess(report.done, FILES)
        self.assertLess(len(self.upstream.asked), 4 + 6 * 2 + 2)

    def test_it_does_as_it_is_told(self) -> None:
        for value in ("3600", "Fri, 20 Nov 2126 00:00:00 GMT"):
            fields = (("Retry-After", value),)
            for path in self.upstream.pages:
                if path.endswith(".txt"):
                    self.upstream.pages[path] = Answer(b"", 429, fields)
            report = self.mirror(jobs=1)
            self.assertIn("429 Too Many Requests, and asks to come again in", report.why)
            self.assertEqual(len(self.upstream.asked), 4 + 1)

    def test_it_goes_on(self) -> None:
        held = self.upstream.pages["/rfc/rfc9110.txt"]
        self.upstream.pages["/rfc/rfc9110.txt"] = Answer(
            status=429, fields=(("Retry-After", "999"),)
        )
        report = self.mirror(jobs=1)
        there = len(self.names())
        self.assertLess(there, FILES)
        self.assertEqual(there, report.fetched)
        self.upstream.pages["/rfc/rfc9110.txt"] = held
        self.assertEqual(self.mirror().fetched, FILES - there)
        self.assertTrue(self.is_whole())

    def test_the_disk_is_full(self) -> None:
        def opening(place: str, mode: str) -> IO[Any]:
            if mode == "wb" and place.endswith("/rfc793.txt"):
                raise OSError(28, "No space left on device")
            return open(place, mode)

        with mock.patch.object(copying, "open", opening, create=True):
            report = self.mirror(jobs=1)
        self.assertEqual(report.why, "it cannot be written: No space left on device")
        self.assertTrue(self.is_whole())

    def test_the_disk_is_full_for_the_records(self) -> None:
        """What came is there, and told; the next time it is found to be the same."""
        records = self.mirroring()._records

        def full(_records: object) -> None:
            raise OSError(28, "No space left on device")

        records.close()
        with mock.patch.object(Records, "add", lambda _self, records: full(list(records))):
            report = self.mirror()
        self.assertEqual(report.why, "it cannot be written down what came: No space left on device")
        self.assertGreater(report.fetched, 2)
        self.assertTrue(self.is_whole())
        self.assertEqual(self.mirror().same, report.fetched)

    def test_something_is_in_the_way(self) -> None:
        (self.folder / "rfc768.txt").mkdir(parents=True)
        report = self.mirror()
        self.assertEqual(report.failed, [("rfc768.txt", "it cannot be written: Is a directory")])
        self.assertEqual((report.fetched, report.done, report.why), (FILES - 1, FILES, ""))

    def test_several_are_told_to_wait(self) -> None:
        """One trouble is one failure, on however many connections."""
        left = 16

        def busy(asked: Asked) -> Answer:
            nonlocal left
            left -= 1
            rest = (("Retry-After", "0"),)
            return Answer(b"", 429, rest) if left >= 0 else Answer(asked.path.encode())

        for path in self.upstream.pages:
            if path.endswith(".txt"):
                self.upstream.pages[path] = busy
        report = self.mirror(jobs=8)
        self.assertEqual((report.failed, report.why, report.fetched), ([], "", FILES))

    def test_the_folder(self) -> None:
        self.mirroring()
        self.assertRaises(ConfigurationError, self.mirroring)


class Interrupted(MirroringCase):
    def test_what_came_is_kept(self) -> None:
        """Ctrl-C while one answer is waited for, and others have come."""
        whole = self.upstream.pages["/rfc/rfc793.txt"]
        self.upstream.hold("/rfc/rfc793.txt")
        mirroring = self.mirroring(jobs=1)
        copier = mirroring._copier
        work = copier.work

        def interrupted(seconds: float) -> list[copying.Came]:
            if self.upstream.paths[-1] == "/rfc/rfc793.txt":
                raise KeyboardInterrupt
            return work(min(seconds, 0.01))

        self.patch(copier, "work", interrupted)
        self.assertRaises(KeyboardInterrupt, mirroring.run)
        report = mirroring.report
        mirroring.close()
        self.assertEqual((report.fetched, report.failed), (2 + 3, []))  # RFCs 20, 237, 768
        self.assertTrue(self.is_whole())
        self.upstream.pages["/rfc/rfc793.txt"] = whole
        self.assertEqual(
            self.mirror(),
            report_of(kept=3, same=2, fetched=DOCUMENTS - 3),
        )

    def test_new_editions(self) -> None:
        """What was interrupted before it was taken into the search is taken in the next time."""
        self.mirror()
        self.now += DOCUMENT_LIFETIME + 1
        self.upstream.pages["/rfc/rfc768.txt"] = b"another edition, of zebras"

        def interrupted(_indexing: object, _waiting: object) -> None:
            raise KeyboardInterrupt

        with (
            mock.patch.object(Indexing, "finish", interrupted),
            mock.patch.object(Indexing, "put"),  # it does not come to that
        ):
            mirroring = self.mirroring()
            processes = mirroring._indexing._processes
            self.assertRaises(KeyboardInterrupt, mirroring.run)
            mirroring.close()
        self.assertEqual(len(processes), 2)
        for process in processes:
            with process:  # its pipes are closed
                process.kill()
        self.assertEqual(self.found("zebras"), [])
        self.assertEqual(self.mirror(), report_of(kept=DOCUMENTS, same=2))
        self.assertEqual(self.found("zebras"), [768])

    def test_while_it_ends(self) -> None:
        """No process that takes texts in goes on alone."""
        self.patch(indexing, "_OFTEN", 0.0)
        mirroring = self.mirroring()
        processes: list[Any] = []

        def progress(_report: Report) -> None:
            processes[:] = mirroring._indexing._processes
            if processes and processes[0].stdin.closed:
                raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, mirroring.run, progress)
        self.assertEqual(len(processes), 2)
        for process in processes:
            self.assertIsNotNone(process.returncode)
        mirroring.close()
        self.assertEqual(self.mirror(), report_of(kept=DOCUMENTS, same=2))

    def found(self, words: str) -> list[int]:
        with Search(search_of(self.folder)) as search:
            return [hit.entry.number for hit in search.search(words).hits]
