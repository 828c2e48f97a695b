"""The texts of a folder into its search, while they come: beside the threads that fetch them.

Full-text search takes as long for a text as fetching it does, so processes of their own do
it, one for each part of the search (``netlab.rfc.indexer``).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Thread

from netlab.errors import ConfigurationError
from netlab.rfc.database import SearchFailed
from netlab.rfc.entries import Entry
from netlab.rfc.search import PARTS, Search, part_path

_OFTEN = 0.2  # seconds


class Indexing:
    """Takes texts of ``folder`` into the search in the file ``path``.

    ``start`` comes first, ``learn`` once, and ``finish`` or ``stop`` at the end. What fails
    does not raise: ``why`` says it then, in words.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.why = ""
        self._folder = folder
        self._path = path
        self._search: Search | None = None
        self._known: frozenset[int] = frozenset()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._learning: Thread | None = None

    @property
    def count(self) -> int:
        """How many texts can be searched."""
        with suppress(SearchFailed):
            if self._search is not None:
                self._known = frozenset(self._search.at_hand())
        return len(self._known)

    def start(self) -> None:
        """Begins."""
        try:
            self._search = Search(self._path)
            self._known = frozenset(self._search.at_hand())
            for part in range(PARTS):
                self._processes.append(self._process(part))
        except (ConfigurationError, SearchFailed, OSError) as error:
            self.why = str(error)

    def learn(self, entries: Iterable[Entry]) -> None:
        """Takes in ``entries``, all that is known of documents, beside other work."""
        if self._search is not None and not self.why:
            self._learning = Thread(target=self._learn, args=(self._search, entries), daemon=True)
            self._learning.start()

    def withdraw(self, numbers: Iterable[int]) -> None:
        """New editions of these come, and the old ones are not to be found any more.

        They are not known, then, to whoever goes on after an interruption.
        """
        old = self._known.intersection(numbers)
        if old and self._search is not None:
            try:
                self._search.remove_texts(old)
            except SearchFailed as error:
                self.why = self.why or str(error)

    def put(self, number: int, *, is_new: bool) -> None:
        """The text of RFC ``number`` is there, and may be known unless it is new; or it is 0."""
        if not number or not self._processes or not (is_new or number not in self._known):
            return
        stdin = self._processes[number % PARTS].stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # it has failed, and says so at the end
            stdin.write(b"%d\n" % number)

    def finish(self, waiting: Callable[[], None]) -> None:
        """Returns when all is taken in; calls ``waiting`` now and then meanwhile."""
        for process in self._processes:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
        while self._processes:
            process = self._processes[-1]
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_OFTEN)
                    break
                waiting()
            self._processes.pop()
            assert process.stderr is not None
            with process.stderr as stderr:
                lines = stderr.read().decode(errors="replace").strip().splitlines()
            if process.returncode:
                said = lines[-1] if lines else f"its process ended with {process.returncode}"
                self.why = self.why or said  # of a traceback, the last line says it
        if self._learning is not None:
            self._learning.join()
        self._close()

    def stop(self) -> None:
        """Returns soon; what was taken in is kept."""
        for process in self._processes:
            process.kill()  # SQLite forgets what was not whole
        self.finish(lambda: None)

    def _close(self) -> None:
        search, self._search = self._search, None
        if search is not None:
            with suppress(SearchFailed):
                self._known = frozenset(search.at_hand())
            search.close()

    def _learn(self, search: Search, entries: Iterable[Entry]) -> None:
        try:
            search.update_entries(entries)
        except SearchFailed as error:
            self.why = str(error)

    def _process(self, part: int) -> subprocess.Popen[bytes]:
        # -P: whatever lies in the current folder is none of its modules.
        command = [sys.executable, "-P", "-m", "netlab.rfc.indexer"]
        return subprocess.Popen(
            [*command, part_path(self._path, part), self._folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for this process, which ends it in good order
        )
