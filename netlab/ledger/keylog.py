"""The TLS key log: what Wireshark needs to decrypt a capture of encrypted traffic.

The NSS key log format, draft-ietf-tls-keylogfile. Whoever reads the file can read
the connections: it is for debugging, and its mode is 0600.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from mmap import mmap

from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.ledger.lines import whole_lines
from netlab.ledger.recorder import MAX_FILE, Path
from netlab.ledger.writer import RecordFile, harmless

_MODE = 0o600


class _KeyLines:
    what = "key log"

    def header(self) -> bytes:
        return b""

    def is_ours(self, head: bytes) -> bool:
        return True

    def whole(self, data: bytes | mmap) -> int:
        return whole_lines(data)


class KeyLog:
    """Appends TLS secrets to a file; made by ``open_key_log``. For any thread."""

    def __init__(self, file: RecordFile) -> None:
        self.lost = 0
        """Lines that could not be written."""
        self._file = file
        self._lock = threading.Lock()
        self._closed = False

    def write(self, connection: object, line: bytes) -> None:
        """Appends ``line`` at once: give this method to ``Context.set_keylog_callback``.

        Raises nothing, whatever the disk does. There is no queue: a session whose
        key is late cannot be read by who follows, and a handshake costs far more.
        """
        with self._lock:
            ready = not self._closed and self._file.ready()
            if not ready or not self._file.write((line + b"\n",)):
                self.lost += 1

    def close(self) -> None:
        """Closes the file; lines that come later are counted as lost."""
        with self._lock:
            self._closed = True
            self.lost += self._file.close()


def open_key_log(
    path: Path, *, max_bytes: int = MAX_FILE, on_error: Callable[[str], None] | None = None
) -> KeyLog:
    """A key log at ``path``, continued if it exists; it is a file, of mode 0600.

    ``max_bytes`` and ``on_error`` are as in ``open_recorder``, but ``on_error`` is
    called by the thread that writes.

    Raises ``ConfigurationError`` when the file cannot be opened, is being written
    already, or may be read by others than its owner.
    """
    name = os.fspath(path)
    try:
        mode = stat.S_IMODE(os.stat(name).st_mode)
    except OSError:
        mode = 0  # what is wrong with it will be said when it is opened
    if mode & 0o077:
        raise ConfigurationError(
            f"key log '{escape(name)}': others may read it (mode {mode:04o}); chmod 600 it first"
        )
    return KeyLog(
        RecordFile(
            name,
            _KeyLines(),
            mode=_MODE,
            max_bytes=max_bytes,
            on_error=harmless(on_error),
            regular=True,
        )
    )
