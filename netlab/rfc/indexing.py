"""The texts of a folder into its search, while they come: beside the threads that fetch them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from netlab.errors import ConfigurationError
from netlab.rfc.database import SearchFailed
from netlab.rfc.index import Entry
from netlab.rfc.search import Search
from netlab.rfc.texts import read_text, text_number

_MOST = 4000  # texts that are taken in at a time


class Indexing:
    """Takes texts of ``folder`` into the search in the file ``path``, in a thread of its own.

    Texts are ``put`` at any time, and nothing is done before ``start``. Either ``finish`` or
    ``stop`` comes at the end. What fails does not raise: ``why`` says it, in words.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self.why = ""
        self._folder = folder
        self._path = path
        self._queue: SimpleQueue[int | None] = SimpleQueue()
        self._known: set[int] = set()
        self._over = False
        self._thread: Thread | None = None

    @property
    def count(self) -> int:
        """How many texts can be searched."""
        return len(self._known)

    def start(self, entries: Iterable[Entry]) -> None:
        """Begins; ``entries`` are all that is known of documents."""
        self._thread = Thread(target=self._work, args=(entries,), daemon=True)
        self._thread.start()

    def put(self, name: str, *, is_new: bool) -> None:
        """The file ``name`` is there, and may be known unless it is new; or it is no text."""
        number = text_number(name)
        if number is not None:
            self._queue.put(number if is_new else -number)

    def finish(self, waiting: Callable[[], None]) -> None:
        """Returns when all is taken in; calls ``waiting`` once a second meanwhile."""
        self._queue.put(None)
        if self._thread is not None:
            while self._thread.is_alive():
                self._thread.join(1.0)
                waiting()

    def stop(self) -> None:
        """Returns soon; what was taken in is kept."""
        self._over = True
        self.finish(lambda: None)

    # -- in the thread

    def _work(self, entries: Iterable[Entry]) -> None:
        try:
            with Search(self._path) as search:
                self._known.update(search.at_hand())
                search.update_entries(entries)
                while numbers := self._next():
                    search.add_texts(self._texts(numbers))
        except (ConfigurationError, SearchFailed) as error:
            self.why = str(error)

    def _next(self) -> list[int]:
        """The texts that are there by now, or the first that comes; none at the end."""
        numbers: list[int] = []
        number = self._queue.get()
        try:
            while number is not None and not self._over:
                if number > 0 or -number not in self._known:
                    numbers.append(abs(number))
                    if len(numbers) == _MOST:
                        return numbers
                number = self._queue.get(block=not numbers)
        except Empty:
            return numbers
        self._queue.put(None)  # for the next time
        return numbers

    def _texts(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        for number in numbers:
            if self._over:
                return
            data = read_text(self._folder / f"rfc{number}.txt")
            if data is not None:
                yield number, data
                self._known.add(number)
