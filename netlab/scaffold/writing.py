"""A project, written to the disk: all of it or nothing."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from netlab.errors import ConfigurationError
from netlab.escaping import escape

from .project import Project


def write_project(project: Project, folder: Path) -> list[Path]:
    """Writes the files of ``project`` into ``folder``; returns their paths within it.

    The folder is made, unless it is there and empty. When something goes wrong on the way,
    what was made until then is removed again. Raises ``ConfigurationError`` if anything is
    in the folder or it cannot be made, and ``OSError`` for what cannot be written.
    """
    written: list[Path] = []
    with ExitStack() as undo:
        _make_empty(folder, undo)
        for path, text in project.files():
            for parent in reversed(path.parents[:-1]):
                if not (folder / parent).is_dir():
                    (folder / parent).mkdir()
                    undo.callback((folder / parent).rmdir)
            with (folder / path).open("x", encoding="utf-8") as file:
                undo.callback((folder / path).unlink)
                file.write(text)
            written.append(path)
        undo.pop_all()  # it is whole, and stays
    return written


def _make_empty(folder: Path, undo: ExitStack) -> None:
    """Makes ``folder``, or finds it empty."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise _wrong(folder, "is there already, and is no folder") from None
        if any(folder.iterdir()):
            raise _wrong(folder, "is not empty: nothing was written") from None
    except FileNotFoundError:
        if folder.parent.is_dir():  # of a kind in which none can be made
            raise
        raise _wrong(folder.parent, "is not there: make that folder first") from None
    else:
        undo.callback(folder.rmdir)


def _wrong(folder: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"{escape(str(folder))} {why}")
