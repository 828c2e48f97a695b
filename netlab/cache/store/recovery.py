"""What is done when a store is opened: whatever ended the last process, all is right again."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cache.store.folder import Folder, unlink
from netlab.cache.store.index import Index
from netlab.cache.store.interface import Told
from netlab.cache.store.records import entry_name, unseal


def recover(folder: Folder, index: Index, told: Told) -> None:
    """Makes index and files agree; the index anew if it is damaged or was deleted.

    An entry is there if its row, its file and its content are: each of them is made
    after the content and before it is served, and deleted before anything else is.
    So what was half done when the process ended is undone. Contents are not read
    here, see ``Store.open``. Where an entry was just being replaced, its row may be of the
    old one and its file of the new one: then it is there now, and missing if the index
    is lost later. Raises ``sqlite3.Error`` and ``OSError``.
    """
    existed = folder.index.exists() and folder.index.stat().st_size > 0
    if not index.intact():
        index.make(_rows(folder))
        if existed or index.count:
            what = "was damaged" if existed else "was missing"
            told(f"{folder.name}: its index {what} and is made anew: {index.count} entries")
    _agree(folder, index)


def _rows(folder: Folder) -> Iterator[tuple[str, str, int, bytes]]:
    """The entries that were written down, as far as they are whole and have a content."""
    for name in folder.records():
        record = folder.read_record(name)
        try:
            entry = unseal(record)
        except ValueError:  # it was being written
            continue
        assert entry.body_size is not None  # else it is not unsealed
        if entry_name(entry) == name:
            yield name, entry.body_digest, entry.body_size, record


def _agree(folder: Folder, index: Index) -> None:
    rows, files = set(index.names()), set(map(bytes.fromhex, folder.records()))
    for orphan in files - rows:
        unlink(folder.record(orphan.hex()))
    gone = [name.hex() for name in rows - files]
    wanted, contents = set(index.digests()), set(map(bytes.fromhex, folder.contents()))
    for digest in wanted - contents:
        gone += [name for name, _ in index.with_content(digest.hex())]
    if gone:
        for name in gone:
            unlink(folder.record(name))
        with index.writing():
            index.delete(gone)
        wanted = set(index.digests())
    for digest in contents - wanted:
        unlink(folder.content(digest.hex()))
