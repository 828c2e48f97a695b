"""The tree of errors."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab import errors
from netlab.errors import (
    FrameTooLong,
    IncomingFrameTooLong,
    LocalProtocolError,
    NetlabError,
    OutgoingFrameTooLong,
    RemoteProtocolError,
)

CLASSES: dict[str, type[NetlabError]] = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, NetlabError)
}
TOO_LONG = (FrameTooLong, IncomingFrameTooLong, OutgoingFrameTooLong)
_LINE = re.compile(r"^    ((?:[| ]   )*)(?:[|`]-- )?(\w+)(?: \((\w+)\))?(?:  +\S.*)?$")


def drawn() -> list[tuple[str, str | None, str | None]]:
    """The tree of the docstring: each class with the one above it, and its built-in base."""
    found: list[tuple[str, str | None, str | None]] = []
    above: list[str] = []
    picture = (errors.__doc__ or "").split("\n\n")[1]
    for line in picture.splitlines():
        match = _LINE.match(line)
        assert match is not None, line
        indent, name, other = match.groups()
        branch = "-- " in line.partition(name)[0]
        depth = len(indent) // 4 + branch
        del above[depth:]
        found.append((name, above[-1] if above else None, other))
        above.append(name)
    return found


class Tree(SynchronousTestCase):
    def test_complete(self) -> None:
        """Every class is drawn, once."""
        names = [name for name, _, _ in drawn()]
        self.assertEqual(sorted(names), sorted(CLASSES))

    def test_true(self) -> None:
        """It hangs where it is drawn; so do the built-in bases."""
        for name, above, other in drawn():
            kind = CLASSES[name]
            if above is None:
                self.assertIs(kind, NetlabError)
                continue
            self.assertIn(CLASSES[above], kind.__bases__, name)
            built_in = {base.__name__ for base in kind.__mro__[1:] if base.__module__ == "builtins"}
            if other is not None:
                self.assertIn(other, built_in, name)

    def test_every_base_is_drawn(self) -> None:
        """No class has a base that the picture does not tell of."""
        told: dict[str, set[str]] = {}
        for name, above, other in drawn():
            told[name] = {each for each in (above, other) if each}
        for name in ("IncomingFrameTooLong", "OutgoingFrameTooLong"):
            told[name].add("FrameTooLong")  # said in words, in the picture
        for name, kind in CLASSES.items():
            if kind is NetlabError:
                self.assertEqual(kind.__bases__, (Exception,))
            else:
                self.assertEqual({base.__name__ for base in kind.__bases__}, told[name], name)

    def test_documented(self) -> None:
        """Each class says what it means."""
        for kind in CLASSES.values():
            self.assertTrue(kind.__dict__.get("__doc__"), kind)

    def test_local_or_remote(self) -> None:
        """A mistake is this side's or the peer's, never both."""
        for kind in CLASSES.values():
            both = issubclass(kind, LocalProtocolError) and issubclass(kind, RemoteProtocolError)
            self.assertFalse(both, kind)


class Kinds(SynchronousTestCase):
    def test_names(self) -> None:
        """A kind is a plain word, fit for a metric's label."""
        for kind in CLASSES.values():
            self.assertRegex(kind.kind, r"\A[a-z][a-z_]*\Z")

    def test_distinct(self) -> None:
        """Each class has its own, but for the two ways of a frame too long."""
        for kind in CLASSES.values():
            if kind not in (IncomingFrameTooLong, OutgoingFrameTooLong):
                self.assertIn("kind", kind.__dict__, kind)
        kinds = [each.kind for each in CLASSES.values()]
        shared = {each for each in kinds if kinds.count(each) > 1}
        self.assertEqual(shared, {"frame_too_long"})

    def test_like_its_name(self) -> None:
        """It is the class's name in lower case, more or less: nobody must guess."""
        for kind in CLASSES.values():
            words = re.findall(r"[A-Z][a-z]+|[A-Z]+(?![a-z])", kind.__name__)
            full = "_".join(words).lower()
            self.assertIn(kind.kind.removesuffix("_error"), full)


class TooLong(SynchronousTestCase):
    def test_texts(self) -> None:
        """The numbers, and what may be behind them."""
        self.assertEqual(str(FrameTooLong(5, 4)), "length 5 exceeds 4")
        self.assertEqual(str(IncomingFrameTooLong(5, 4, "hm?")), "length 5 exceeds 4; hm?")

    @given(st.integers(), st.integers(), st.text(max_size=20), st.sampled_from(TOO_LONG))
    def test_copies(self, announced: int, limit: int, hint: str, kind: type[FrameTooLong]) -> None:
        """It goes through pickle and copy whole."""
        error = kind(announced, limit, hint)
        for other in (
            pickle.loads(pickle.dumps(error)),
            copy.copy(error),
            copy.deepcopy(error),
        ):
            self.assertIs(type(other), kind)
            self.assertEqual((other.announced, other.limit, other.hint), (announced, limit, hint))
            self.assertEqual(str(other), str(error))

    def test_caught(self) -> None:
        """One name catches both; the side that is to blame catches its own."""
        self.assertTrue(issubclass(IncomingFrameTooLong, RemoteProtocolError))
        self.assertTrue(issubclass(OutgoingFrameTooLong, LocalProtocolError))
        for kind in TOO_LONG:
            self.assertEqual(kind.kind, "frame_too_long")


class Plain(SynchronousTestCase):
    def test_all(self) -> None:
        """The others are exceptions as any: a text, which survives pickle and copy."""
        for kind in CLASSES.values():
            if issubclass(kind, FrameTooLong):
                continue
            error = kind("it went wrong")
            self.assertEqual(str(error), "it went wrong")
            for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
                self.assertIs(type(other), kind)
                self.assertEqual((str(other), other.kind), (str(error), kind.kind))

    def test_built_in(self) -> None:
        """Programs that know nothing of netlab catch these as well."""
        self.assertTrue(issubclass(errors.ConfigurationError, ValueError))
        self.assertTrue(issubclass(errors.DeadlineExceeded, TimeoutError))
