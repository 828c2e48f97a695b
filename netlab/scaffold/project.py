"""The name of a project, checked: a folder, a package, a class and a command of twistd."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from netlab.errors import ConfigurationError
from netlab.escaping import escape

from .template import FILES, IMPORTED

LONGEST = 30
"""Characters of a name; so lines that hold it stay as they are."""

OUR_FOLDERS = ("build", "dist", "tests")
"""What else is called so in a project."""

COMMANDS = (
    *("conch", "dns", "ftp", "inetd", "mail", "manhole", "portforward", "procmon", "socks"),
    *("web", "words", "xmpp-router"),
)
"""What ``twistd`` runs already."""

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Project:
    """A project called ``name``: lower-case letters, digits, and hyphens or ``_`` between them.

    Raises ``ConfigurationError`` for a name that cannot be that of a folder, a Python
    package and a command of ``twistd``, all at once and of nothing else.
    """

    name: str

    def __post_init__(self) -> None:
        name = self.name
        if not _NAME.fullmatch(name):
            raise _wrong(name, f"write {_hint(name)}")
        if len(name) > LONGEST:
            raise _wrong(name, f"it is longer than {LONGEST} characters")
        if keyword.iskeyword(self.package) or keyword.iskeyword(self.class_name):
            raise _wrong(name, "it is a word of Python's own")
        if self.package in sys.stdlib_module_names:
            raise _wrong(name, f"Python has a module {self.package} already")
        if self.package in OUR_FOLDERS or self.class_name in IMPORTED:
            raise _wrong(name, "a project has something else that is called so")
        if name in COMMANDS:
            raise _wrong(name, f"there is a `twistd {name}` already")
        if _installed(self.package):
            raise _wrong(name, f"a package {self.package} is installed here already")

    @property
    def package(self) -> str:
        """The name of its package."""
        return self.name.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The name of its api's class."""
        return "".join(each.capitalize() for each in self.package.split("_"))

    def files(self) -> Iterator[tuple[Path, str]]:
        """Its files: each path within the project, and the text."""
        words = {
            "PROJECT": self.name,
            "PACKAGE": self.package,
            "CLASS": self.class_name,
            "NETLAB": version("netlab").partition("+")[0],
        }
        pattern = re.compile("|".join(words))
        for path, text in FILES.items():
            name, made = (pattern.sub(lambda word: words[word[0]], each) for each in (path, text))
            yield Path(name), made


def _hint(name: str) -> str:
    """How ``name`` might be written, or how any name is."""
    near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:LONGEST]
    return near if _NAME.fullmatch(near) else "lower-case letters, as in greeter"


def _installed(package: str) -> bool:
    """Whether ``package`` can be imported; a mere folder that happens to be here cannot."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # what is there is broken, but it is there
        return True
    if spec is None or spec.origin is not None:
        return spec is not None
    places = spec.submodule_search_locations or ()
    return any(Path(each).parent != Path.cwd() for each in places)


def _wrong(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"name '{escape(name, 20)}': {why}")
