"""The files of a new project.

PROJECT, PACKAGE and CLASS stand for its names, NETLAB for the version of netlab. A line
that holds one of them is short enough, or broken already, for every name.
"""

from __future__ import annotations

IMPORTED = ("Annotated", "Api", "AsyncIterator", "Deferred", "Faults", "Meta", "RpcError")
"""Classes that the files below import: that of the project is called otherwise."""

README = """\
# PROJECT

A counter that all its clients share, served with netlab: an api to begin with.
`PACKAGE/api.py` is what it does. Write your own there, and its tests beside it.

| file                                | is |
|-------------------------------------|----|
| `PACKAGE/api.py`                    | the api: methods, errors, a subscription |
| `PACKAGE/tap.py`                    | the options of `twistd PROJECT` |
| `twisted/plugins/PACKAGE_plugin.py` | makes it a command of `twistd` |
| `tests/test_api.py`                 | its tests, in memory |
| `pyproject.toml`                    | its metadata, and settings of the tools |

## Install

In the virtual environment that has netlab:

```sh
pip install -e '.[test]'
```

Where there is no netlab yet, pip looks for it on the package index. To take it from a
checkout, name that as well: `pip install /path/to/netlab -e '.[test]'`.

## Test

```sh
python -m pytest
```

With `pip install -e '.[dev]'` also `ruff check`, `ruff format` and `mypy`.

## Serve

```sh
twistd -n PROJECT
```

Only this machine can reach it now. `twistd PROJECT --help` shows all options: where to
listen, TLS, framing, limits. Ctrl-C stops it. In another terminal:

```sh
netlab describe
netlab call add amount=5
netlab call watch
```

In Python:

```python
from netlab.blocking import connect
from PACKAGE.api import CLASS

with connect("tcp:localhost:8032", CLASS) as client:
    print(client.add(5))
```

## Deploy

On the server, as root, into an environment of its own:

```sh
python3 -m venv /opt/PROJECT
/opt/PROJECT/bin/pip install .
/opt/PROJECT/bin/twistd --help >/dev/null  # finds the plugin, and notes where it is
```

The unit file for systemd:

```ini
# /etc/systemd/system/PROJECT.service
[Unit]
Description=PROJECT
After=network.target

[Service]
ExecStart=/opt/PROJECT/bin/twistd -n --pidfile= PROJECT --listen tcp6:8032
DynamicUser=yes
Restart=on-failure
TimeoutStopSec=20
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
```

```sh
systemctl daemon-reload
systemctl enable --now PROJECT
journalctl -u PROJECT
```

`tcp6:8032` is every address of the machine, and anybody who can connect may call it. For
TLS, `--listen ssl:8443:privateKey=key.pem:certKey=cert.pem`.
"""

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "PROJECT"
version = "0.1.0"
description = "A counter that all its clients share"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["netlab>=NETLAB"]

[project.optional-dependencies]
test = ["hypothesis", "pytest"]
dev = ["PROJECT[test]", "mypy", "ruff"]

[tool.setuptools]
# Without it an editable install would hide the plugin, or Twisted itself.
package-dir = { "" = "." }

[tool.setuptools.packages.find]
include = ["PACKAGE", "PACKAGE.*", "twisted.plugins"]

[tool.setuptools.package-data]
PACKAGE = ["py.typed"]

[tool.pytest.ini_options]
testpaths = ["tests"]

[tool.ruff]
line-length = 100

[tool.ruff.lint]
ignore = ["RUF012"]  # Twisted's options are declared in class attributes

[tool.mypy]
strict = true
files = ["PACKAGE", "tests"]
untyped_calls_exclude = ["twisted"]
"""

GITIGNORE = """\
__pycache__/
*.egg-info/
.venv/
build/
dist/
dropin.cache
.hypothesis/
.mypy_cache/
.pytest_cache/
.ruff_cache/
twistd.log*
twistd.pid
"""

INIT = '''\
"""A counter that all its clients share."""
'''

API = '''\
"""The api: what its clients can call."""

from collections.abc import AsyncIterator
from typing import Annotated

from msgspec import Meta
from netlab.api import Api, RpcError, method, subscription
from twisted.internet.defer import Deferred

TOO_HIGH = 1
"""The code of an error."""

Amount = Annotated[int, Meta(ge=1, le=100)]


class CLASS(Api):
    """A counter that all its clients share."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.count = 0
        self._waiting: set[Deferred[None]] = set()

    @method
    def current(self) -> int:
        """The count."""
        return self.count

    @method
    def add(self, amount: Amount = 1) -> int:
        """Counts on by so many; the answer is the new count. Error 1: it would be too high."""
        if self.count + amount > self.limit:
            raise RpcError(TOO_HIGH, f"{self.count} and {amount} are more than {self.limit}")
        self.count += amount
        for each in tuple(self._waiting):
            each.callback(None)
        return self.count

    @subscription
    async def watch(self) -> AsyncIterator[int]:
        """The count, and each time that it changes the new one. A slow reader misses some."""
        while True:
            told = self.count
            yield told
            while self.count == told:
                await self._change()

    async def _change(self) -> None:
        change = Deferred[None]()
        self._waiting.add(change)
        try:
            await change
        finally:  # also when the subscriber has gone
            self._waiting.discard(change)
'''

TAP = '''\
"""``twistd PROJECT``: all that ``twistd netlab message`` can do."""

from netlab.services.message import MessageOptions
from netlab.tap import make_message_service


class Options(MessageOptions):
    """The options; more of them go into ``optParameters``."""

    program = "PROJECT"
    default_app = "PACKAGE.api:CLASS"


makeService = make_message_service
'''

PLUGIN = '''\
"""Makes ``PROJECT`` a command of ``twistd``."""

from twisted.application.service import ServiceMaker

plugin = ServiceMaker(
    name="PROJECT",
    module="PACKAGE.tap",
    description="a counter that all its clients share",
    tapname="PROJECT",
)
'''

TESTS = '''\
"""The api in memory: no network, and a clock that the test sets."""

import pytest
from netlab.api import RpcError
from netlab.testing import Faults, check_api, pair

from PACKAGE.api import CLASS


def test_add() -> None:
    with pair(CLASS) as link:
        assert link.run(link.client.add(5)) == 5
        assert link.run(link.client.add()) == 6
        assert link.run(link.client.current()) == 6


def test_limit() -> None:
    with pair(CLASS(limit=5)) as link:
        assert link.run(link.client.add(5)) == 5
        with pytest.raises(RpcError, match="more than 5"):
            link.run(link.client.add())


def test_watch() -> None:
    """In pieces of three bytes, while another client counts."""
    with pair(CLASS, faults=Faults(seed=7, chunk=3)) as link:
        other = link.connect_api()

        async def watch() -> list[int]:
            counts = link.client.watch()
            before = await anext(counts)
            await other.add(5)
            return [before, await anext(counts)]

        assert link.run(watch()) == [0, 5]


def test_contract() -> None:
    """Whatever is sent is answered, and nothing breaks the connection."""
    check_api(CLASS, max_examples=50)
'''

FILES = {
    "README.md": README,
    "pyproject.toml": PYPROJECT,
    ".gitignore": GITIGNORE,
    "PACKAGE/__init__.py": INIT,
    "PACKAGE/api.py": API,
    "PACKAGE/tap.py": TAP,
    "PACKAGE/py.typed": "",
    "twisted/plugins/PACKAGE_plugin.py": PLUGIN,
    "tests/test_api.py": TESTS,
}
"""Each path in the project, and its text."""
