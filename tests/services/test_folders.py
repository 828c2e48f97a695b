"""Where a server of RFCs keeps what it has, and what it does when it cannot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher

from netlab.rfc.indexing import Indexing
from netlab.rfc.records import search_of
from netlab.rfc.search import Search
from tests.rfc.support import DATA, text
from tests.services.test_web import WebCase, ask, reactor
from tests.test_tap import LOOPBACK
from tests.transport.support import in_thread


class Folders(WebCase):
    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        observer: Any = self._observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _observe(self, event: dict[str, Any]) -> None:
        if event["log_level"].name in ("warn", "error", "critical"):
            self.said.append(str(event.get("text", event)))

    def serve(self, *more: str, mirror: Path = DATA) -> Any:
        return self.start("rfc", "--offline", f"--mirror={mirror}", f"--listen={LOOPBACK}", *more)

    async def assert_serves(self, rfc: Any) -> None:
        """Documents, the index and the search are there."""
        answer = await in_thread(ask, rfc.ports[0], "/rfc/rfc2324.txt")
        self.assertEqual(answer.partition(b"\r\n\r\n")[2], text(2324))
        found = await in_thread(ask, rfc.ports[0], "/search?q=hyper+coffee")
        self.assertIn(b"RFC 2324", found)

    async def assert_memory(self, pattern: str) -> None:
        """It serves from memory, and says once why."""
        self.said.clear()
        rfc = self.serve()
        await self.assert_serves(rfc)
        await rfc.parent.stopService()
        self.assertEqual(len(self.said), 1, self.said)
        self.assertRegex(self.said[0], pattern)

    async def test_two(self) -> None:
        """Of two on the default folder the second uses memory."""
        first = self.serve()
        await self.assert_memory("kept in memory only: cache folder .* is using it")
        await self.assert_serves(first)
        self.assertEqual(len(self.said), 1)
        self.assertTrue((self.folder / "netlab" / "rfc" / "search.sqlite").exists())

    def mirror(self) -> Path:
        """A mirror with a search, as ``netlab rfc mirror`` makes one."""
        mirror = self.folder / "mirror"
        shutil.copytree(DATA, mirror)
        search_of(mirror).parent.mkdir()
        indexing = Indexing(mirror, search_of(mirror))
        indexing.start()
        indexing.put(2324, is_new=True)
        indexing.finish(lambda: None)
        return mirror

    async def test_search_of_the_mirror(self) -> None:
        """The search that comes with a mirror is used, and goes on in there."""
        mirror = self.mirror()
        rfc = self.serve(mirror=mirror)
        await self.assert_serves(rfc)
        await rfc.parent.stopService()
        self.assertEqual(self.said, [])
        self.assertEqual(list((self.folder / "netlab" / "rfc").glob("search*")), [])
        with Search(search_of(mirror)) as search:
            self.assertEqual(search.search("coffee").hits[0].entry.title[:10], "Hyper Text")

    async def test_search_of_the_mirror_is_damaged(self) -> None:
        mirror = self.mirror()
        search_of(mirror).write_bytes(b"no database" * 1000)
        rfc = self.serve(mirror=mirror)
        await self.assert_serves(rfc)
        await rfc.parent.stopService()
        self.assertRegex(self.said[0], "the search that comes with the mirror is not used: .*")
        self.assertTrue((self.folder / "netlab" / "rfc" / "search.sqlite").exists())

    async def test_no_home(self) -> None:
        """A user without a home."""
        del os.environ["XDG_CACHE_HOME"]
        os.environ["HOME"] = "/nonexistent"
        await self.assert_memory("memory only: this user has no folder for caches")

    async def test_in_the_way(self) -> None:
        """A folder that cannot be made."""
        (self.folder / "netlab").write_text("a file")
        await self.assert_memory("memory only: cache folder .*: ([Nn]ot a directory|File exists)")

    async def test_damaged_search(self) -> None:
        """A search index that is none; documents are still kept in the folder."""
        folder = self.folder / "netlab" / "rfc"
        folder.mkdir(parents=True)
        (folder / "search.sqlite").write_bytes(b"no database" * 1000)
        await self.assert_memory("what is searched is kept in memory only: .*not a database")
        self.assertTrue((folder / "http" / "index.sqlite").exists())

    async def test_damaged_documents(self) -> None:
        """A damaged document is not served: it is fetched anew."""
        rfc = self.serve()
        await self.assert_serves(rfc)
        await rfc.parent.stopService()
        contents = self.folder / "netlab" / "rfc" / "http" / "contents"
        files = [each for each in contents.rglob("*") if each.is_file()]
        self.assertTrue(files)
        for each in files:
            Path(each).write_bytes(b"X" * each.stat().st_size)
        rfc = self.serve()
        await self.assert_serves(rfc)
        await deferLater(reactor, 0)
        self.assertTrue(all("damaged" in each for each in self.said), self.said)
