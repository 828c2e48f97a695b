"""A whole collection of RFCs: mirrored and made searchable, then searched.

Run: ``python -m benchmarks library [--quick] [--only ROW]``; ``--help`` lists the rows. The time
is that on the wall, of the command and of an answer: this is what a person waits for.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import BenchmarkError, Cores, Outcome, Sample, serving, twistd
from benchmarks.report import Target
from benchmarks.runner import Benchmark, Row

REAL = "RFCS"
"""The environment variable that names a folder of real texts with their ``rfc-index.xml``."""
MADE = 2000
"""How many documents are made without one; that is a fifth of the real collection."""
PAGES = (4, 16, 24, 30, 60)
"""Their lengths in turn: about the real ones, 55 kB in the mean."""
QUERIES = (
    *("coffee", "congestion control", '"three way handshake"', "multicast listener discovery"),
    *("tls certificate", "the quick brown fox", "postel", "header compression robust", "ipv6"),
)
NAMESPACE = "https://www.rfc-editor.org/rfc-index"


@dataclass(frozen=True)
class Bench:
    """What a measurement works with: the folder ``rfc`` of the upstream is in ``directory``."""

    directory: Path
    cores: Cores

    @classmethod
    @contextlib.contextmanager
    def opened(cls, cores: Cores, _seconds: float, _warmup: float) -> Iterator[Bench]:
        """Lay out the collection as an upstream has it."""
        os.sched_setaffinity(0, {cores.server, cores.load})  # nothing is pinned here
        with tempfile.TemporaryDirectory(prefix="netlab-bench-") as name:
            folder = Path(name, "rfc")
            folder.mkdir()
            real = os.environ.get(REAL)
            if real is None:
                make(folder)
            else:
                stand_in(Path(real), folder)
            yield cls(Path(name), cores)


# ---- the collection ----------------------------------------------------------------------------


def stand_in(real: Path, folder: Path) -> None:
    """Link real texts into ``folder``: for each number of the index its own, or one as long."""
    try:
        index = ElementTree.parse(real / "rfc-index.xml").getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise BenchmarkError(f"{REAL}={real}: no rfc-index.xml that can be read: {error}") from None
    where = re.match(r"\{.*\}", index.tag)
    space = where[0] if where else ""
    pages: dict[int, int] = {}
    for entry in index.iter(f"{space}rfc-entry"):
        number = int(entry.findtext(f"{space}doc-id", "").removeprefix("RFC"))
        pages[number] = int(entry.findtext(f"{space}page-count") or 0)
    texts = {number: file for number in pages if (file := real / f"rfc{number}.txt").is_file()}
    if not texts:
        raise BenchmarkError(f"{REAL}={real}: no rfcN.txt there")
    lengths = sorted((pages[number], number) for number in texts)
    for number, length in pages.items():
        if number in texts:
            text = texts[number]
        else:  # one of the next longer ones, not always the same
            at = min(sum(each < (length, 0) for each in lengths), len(lengths) - 1)
            text = texts[lengths[min(at + number % 5, len(lengths) - 1)][1]]
        (folder / f"rfc{number}.txt").symlink_to(text.absolute())
    (folder / "rfc-index.xml").symlink_to((real / "rfc-index.xml").absolute())


def make(folder: Path) -> None:
    """Write documents of made words, as often as words are in real ones (Zipf's law)."""
    draw = random.Random(2324)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 11))) for _ in range(30_000)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    entries = []
    for number in range(1, MADE + 1):
        lines = []
        for page in range(1, PAGES[number % len(PAGES)] + 1):
            for _ in range(48):
                lines.append("   " + " ".join(draw.choices(words, cum_weights=weights, k=9))[:69])
            lines.append(
                f"\n\nPostel{'[Page ' + str(page) + ']':>66}\n\f\nRFC {number}{'':40}1998\n"
            )
        (folder / f"rfc{number}.txt").write_text("\n".join(lines) + "\n")
        title = " ".join(draw.choices(words, k=5))
        abstract = " ".join(draw.choices(words, cum_weights=weights, k=60))
        entries.append(
            f"<rfc-entry><doc-id>RFC{number:04}</doc-id><title>{title}</title>"
            f"<author><name>J. {draw.choice(words).title()}</name></author>"
            "<date><month>June</month><year>1998</year></date>"
            "<format><file-format>TEXT</file-format></format>"
            f"<abstract><p>{abstract}</p></abstract>"
            "<current-status>INFORMATIONAL</current-status></rfc-entry>"
        )
    text = f'<rfc-index xmlns="{NAMESPACE}">{"".join(entries)}</rfc-index>'
    (folder / "rfc-index.xml").write_text(text)


# ---- what is measured --------------------------------------------------------------------------


COMMANDS = {
    "netlab": lambda url, folder: ["netlab", "rfc", "mirror", folder, "--upstream", url],
    "plain": lambda url, folder: ["benchmarks.peers.plain_library", url, folder],
}


def mirrored(bench: Bench, name: str) -> tuple[Path, int, float]:
    """A mirror of the collection, how many documents it has, and how many seconds it took."""

    def origin(port: int) -> list[str]:
        module = "benchmarks.peers.netlab_http"
        return [sys.executable, "-m", module, str(port), str(bench.directory)]

    # It stays until the end: ext4 is slow to make files when many were deleted just before.
    mirror = Path(tempfile.mkdtemp(dir=bench.directory), "mirror")
    with serving(origin, bench.cores.load) as server:
        command = COMMANDS[name](f"http://127.0.0.1:{server.port}/rfc/", str(mirror))
        os.sync()  # what the one before left to be written is not paid for here
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        seconds = time.monotonic() - begin
    searchable = re.search(r"([0-9,]+) texts can be searched", done.stdout)
    if done.returncode or searchable is None:
        said = " ".join((done.stdout + done.stderr).split())
        raise BenchmarkError(f"{name}: {said[:400] or done.returncode}")
    return mirror, int(searchable[1].replace(",", "")), seconds


class Mirror:
    """Milliseconds for each document, from the start of the command to its end."""

    def __call__(self, bench: Bench, name: str) -> Sample:
        _, documents, seconds = mirrored(bench, name)
        return Sample(seconds / documents * 1000, {"documents": float(documents)})

    def notes(self, _bench: Bench, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Say what that is in documents a second."""
        return [
            f"{name}: {outcome.middle('documents') or 0:,.0f} documents, "
            f"{1000 / outcome.median:,.0f} a second"
            for name, outcome in outcomes.items()
            if outcome.samples
        ]


class Searching:
    """Milliseconds of the query that takes longest, in the middle of five times."""

    def __call__(self, bench: Bench, name: str) -> Sample:
        mirror, _, _ = mirrored(bench, name)
        with (
            tempfile.TemporaryDirectory(dir=bench.directory) as cache,
            serving(
                lambda port: twistd(
                    *("netlab", "rfc", "--offline", "--mirror", str(mirror), "--cache", cache),
                    *("--listen", f"tcp:{port}:interface=127.0.0.1"),
                ),
                bench.cores.server,
            ) as server,
        ):
            root = f"http://127.0.0.1:{server.port}/api/search?q="
            wait_for_index(root)
            return Sample(max(middle(root, query) for query in QUERIES))

    def notes(self, _bench: Bench, _outcomes: Mapping[str, Outcome]) -> list[str]:
        """Nothing more to say."""
        return []


def wait_for_index(root: str) -> None:
    """Return when the server has read the index."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            if b'"total":0' not in asked(root, "rfc1"):
                return
        time.sleep(0.1)
    raise BenchmarkError("the server does not find RFC 1")


def asked(root: str, query: str) -> bytes:
    with urllib.request.urlopen(root + urllib.parse.quote(query), timeout=30) as answer:
        data: bytes = answer.read()
        return data


def middle(root: str, query: str) -> float:
    times = []
    for _ in range(5):
        begin = time.monotonic()
        asked(root, query)
        times.append((time.monotonic() - begin) * 1000)
    return statistics.median(times)


SERVERS = {
    "netlab": "netlab rfc mirror, twistd netlab rfc",
    "plain": "http.client and a full-text table, one after the other",
}
ROWS: Mapping[str, Row[Bench]] = {
    "mirror": Row(
        "a collection mirrored and made searchable",
        "ms of time per document",
        Mirror(),
        tuple(SERVERS),
        (Target(1.0),),
    ),
    "search": Row(
        "the slowest of some searches over it",
        "ms of time per answer",
        Searching(),
        ("netlab",),
        (Target(20.0),),
    ),
}

BENCHMARK = Benchmark(
    "library",
    f"A collection of RFCs mirrored and searched: of made documents, or with {REAL}=DIR in the "
    "environment of the real ones in that folder, which is filled up to the length of its index.",
    SERVERS,
    ROWS,
    Bench.opened,
)


def main(arguments: Sequence[str]) -> int:
    """Run the rows asked for; 1 when a target was missed."""
    return BENCHMARK.main(arguments)
