from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.rfc.records import Record, Records

ONE = Record("rfc1.txt", 100, 1_790_000_000, '"a b"')
TWO = Record("rfc-index.xml", 0, 1_790_000_001)


class RecordsCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name, "mirror")
        self.file = self.folder / ".netlab-mirror" / "records"

    def opened(self) -> Records:
        records = Records(self.folder)
        self.addCleanup(records.close)
        return records

    def written(self, *added: Record) -> None:
        records = Records(self.folder)
        records.add(added)
        records.close()

    def test_there_and_back(self) -> None:
        records = Records(self.folder)
        self.assertIsNone(records.get("rfc1.txt"))
        records.add([ONE._replace(size=1), TWO])
        records.add([ONE])
        self.assertEqual(records.get("rfc1.txt"), ONE)
        records.close()
        records = self.opened()
        self.assertEqual([records.get("rfc1.txt"), records.get("rfc-index.xml")], [
            ONE._replace(tag=""), TWO])  # fmt: skip

    def test_tags(self) -> None:
        for tag in ('"x"', 'W/"x y"', '"\xe4"', ""):
            record = ONE._replace(tag=tag)
            self.written(record)
            records = Records(self.folder)
            found = records.get("rfc1.txt")
            records.close()
            self.assertEqual(found, record if " " not in tag else record._replace(tag=""))

    def test_written_at_once(self) -> None:
        records = self.opened()
        records.add([TWO])
        self.assertEqual(self.file.read_text(), "rfc-index.xml 0 1790000001 \n")

    def test_broken_lines(self) -> None:
        self.written(TWO)
        with open(self.file, "ab") as file:
            file.write(b'../x 1 1 ""\n\xff\nrfc2.txt x 1\nrfc1.txt 10')
        self.written(ONE)
        records = self.opened()
        self.assertEqual((records.get("rfc-index.xml"), records.get("../x")), (TWO, None))
        found = records.get("rfc1.txt")
        assert found is not None
        self.assertEqual(found.size, 100)

    def test_it_does_not_grow_without_end(self) -> None:
        for _ in range(20):
            self.written(TWO)
        self.assertLess(self.file.read_text().count("\n"), 5)

    def test_what_was_not_complete_is_gone(self) -> None:
        records = Records(self.folder)
        (records.new / "rfc1.txt").write_text("te")
        records.close()
        self.assertEqual(list(self.opened().new.iterdir()), [])

    def test_in_use(self) -> None:
        self.opened()
        error = self.assertRaises(ConfigurationError, Records, self.folder)
        self.assertIn("another netlab rfc mirror is at work", str(error))

    def test_no_folder(self) -> None:
        self.folder.write_text("")
        error = self.assertRaises(ConfigurationError, Records, self.folder)
        self.assertIn("name one that this program may write in", str(error))
