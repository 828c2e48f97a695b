"""Try to break an api: what every one owes to whoever calls it.

``check_api`` is for netlab's own apis and for yours: call it in a test. This module
needs Hypothesis, which ``pip install netlab[test]`` brings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy
from twisted.python.failure import Failure

from netlab.api import (
    Api,
    ApiFactory,
    BadAnswer,
    Code,
    Description,
    Method,
    Passing,
    RpcError,
    Schemas,
    Subscribable,
    describe,
)
from netlab.api.jsonrpc import JSON
from netlab.errors import ConfigurationError
from netlab.transport import Log

from .api_values import ANYTHING, other_values, valid_values
from .memory import MemoryServer
from .network import Faults

_Declared = Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any]

_PATIENCE = 60.0  # seconds, of the fake clock
_STEPS = 5_000  # timers that may be due before what has to come
_FEW = 200  # before what may come: an iterator that never waits fills any time
_ITEMS = 8
_LONGEST = 500  # characters of what is shown
_LAST = "is the connection alive?"
_RESERVED = range(-32768, -31999)
_NOT_OF_A_METHOD = (Code.PARSE_ERROR, Code.INVALID_REQUEST, Code.METHOD_NOT_FOUND)


def check_api(
    api: Callable[[], Api], *, deadline: float | None = None, max_examples: int = 200
) -> None:
    """Raises ``AssertionError`` when a method breaks the contract; it says which, and how.

    api           an ``Api`` class, or a function that makes an object: each example has a
                  new one
    deadline      seconds, as of ``ApiFactory``: a method that waits longer is answered with
                  -32013, which is an answer. Without it, one that does not answer within a
                  minute of the fake clock breaks the contract
    max_examples  how many to try of each method: one to three requests each, cut into pieces

    The arguments, valid and invalid, are made from the declared types. The contract:

    - Arguments that are not as declared are answered with -32602 (params that are neither
      array nor object with -32600).
    - All others are answered with a result of the declared type, or with an error that the
      method means: with a code of the application, or a fitting one of ``Code``. An
      exception that becomes -32603 breaks the contract, as does a wrong result: if a value
      cannot be worked with, say so by a type or an ``RpcError``.
    - The same holds for the items of a subscription. It ends when told to, exactly once.
    - One answer comes to each request, and to nothing else; no traceback is in it; and the
      connection lives on.

    Raises ``ConfigurationError`` when ``api`` makes no ``Api``. A method that loops for ever
    without waiting cannot be told from a slow one: give the test a time-out.
    """
    if isinstance(api, Api) or not callable(api):
        raise ConfigurationError(
            f"check_api takes what makes an Api, not {api!r}: give the class, or a function"
        )
    description = describe(api())
    schemas = description.schemas()
    for declared in description.declared.values():
        _check_method(api, description, declared, schemas, deadline, max_examples)


def _check_method(
    api: Callable[[], Api],
    description: Description,
    declared: _Declared,
    schemas: Schemas,
    deadline: float | None,
    max_examples: int,
) -> None:
    """Tries one method."""
    where = f"{description.name}.{declared.name}"
    tried_valid = False

    @settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(_params(declared, schemas), min_size=1, max_size=3),
        st.builds(Faults, seed=st.integers(0, 99), chunk=st.sampled_from((None, 50, 10))),
    )
    def example(several: list[Any], faults: Faults) -> None:
        nonlocal tried_valid
        with _Link(api(), faults, deadline) as link:
            for number, params in enumerate(several):
                trial = _Trial(link, declared, where, number + 1, params)
                tried_valid |= trial.expected is None
                trial.run()
            link.check_alive(where)

    try:
        example()
    except Flaky as error:
        raise AssertionError(
            f"{where}: it breaks the contract, but not each time that it is asked the same: {error}"
        ) from error
    if not tried_valid:
        raise AssertionError(
            f"{where}: no valid arguments could be made from its types: give examples, as in "
            "Annotated[str, msgspec.Meta(examples=[...])]"
        )


def _params(declared: _Declared, schemas: Schemas) -> SearchStrategy[Any]:
    """What a request may hold: valid arguments, others, and what are no arguments."""
    own = schemas.methods[declared.name]
    arguments = declared.signature.arguments
    valid = {each.name: valid_values(each, own, schemas) for each in arguments}
    others = {each.name: other_values(each, own, schemas) for each in arguments}
    placed = all(each.passing is not Passing.NAMED for each in arguments)
    needed = {each.name: valid[each.name] for each in arguments if each.required}
    rest = {name: values for name, values in valid.items() if name not in needed}
    by_name = st.fixed_dictionaries(needed, optional=rest)
    right: list[SearchStrategy[Any]] = [by_name]
    strategies: list[SearchStrategy[Any]] = []
    if placed:
        by_position = st.tuples(*valid.values()).map(list)
        right.append(by_position)
        strategies += [st.tuples(by_position, ANYTHING).map(lambda t: [*t[0], t[1]])]
    if arguments:
        name = st.sampled_from([each.name for each in arguments])
        missing = st.tuples(by_name, name).map(lambda t: _without(*t))
        wrong = name.flatmap(
            lambda each: st.tuples(by_name, others[each]).map(lambda t: {**t[0], each: t[1]})
        )
        strategies += [missing, wrong, wrong]
    unknown = st.tuples(by_name, st.text(max_size=10), ANYTHING)
    strategies.append(unknown.map(lambda t: {t[1]: t[2], **t[0]}))
    strategies.append(ANYTHING)
    return st.booleans().flatmap(lambda wrong: st.one_of(strategies if wrong else right))


def _without(members: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in members.items() if each != name}


class _Failures(Log):
    """Keeps what the server would log, to tell of it."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Failure | None = None

    def failure(self, format: str, failure: Failure | None = None, *_: Any, **__: Any) -> None:
        """The incident that the peer hears of by its name only."""
        self.last = failure


class _Link:
    """A server in memory, and a peer that looks at each message."""

    def __init__(self, api: Api, faults: Faults, deadline: float | None) -> None:
        factory = ApiFactory(api, deadline=deadline)
        self.failures = factory.servant.log = _Failures()
        self.server = MemoryServer(factory, faults=faults)
        self.framing = self.server.server.framing
        self.peer = self.server.connect_raw()
        self._decoder = self.framing.decoder()
        self._read = 0
        self.came: list[dict[str, Any]] = []
        self.was_called = False
        self.patience = max(_PATIENCE, 2 * (deadline or 0))

    def __enter__(self) -> _Link:
        return self

    def __exit__(self, *error: object) -> None:
        self.server.close()

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends one message, letting as little happen as can be."""
        text = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False)
        rest = self.framing.encode(text.encode())
        while rest and not self.peer.gone:
            try:
                rest = rest[self.peer.socket.send(rest) :]
            except BlockingIOError:
                if not self._step(self.server.clock.seconds() + self.patience):
                    raise AssertionError("the server reads no more") from None

    def until(self, done: Callable[[], bool], seconds: float, steps: int = _STEPS) -> bool:
        """Lets time pass until ``done()``, ``seconds`` at most; returns whether it is."""
        limit = self.server.clock.seconds() + seconds
        for _ in range(steps):
            self._take()
            if done():
                return True
            if self.peer.gone or not self._step(limit):
                break
        return False

    def _step(self, limit: float) -> bool:
        """Has the next timer's turn, if it is due by ``limit``; returns whether it was.

        ``Clock.advance`` would not return while an iterator that never waits has turns.
        """
        clock: Any = self.server.clock
        call = min(clock.calls, key=lambda each: each.getTime(), default=None)
        if call is None or call.getTime() > limit:
            return False
        clock.rightNow = max(clock.rightNow, call.getTime())
        clock.calls.remove(call)
        call.called = 1
        call.func(*call.args, **call.kw)
        return True

    def _take(self) -> None:
        data = bytes(self.peer.received[self._read :])
        self._read += len(data)
        for message in self._decoder.feed(data) if data else ():
            if b"Traceback (most recent call last)" in message:
                raise AssertionError(f"a traceback is in what came: {_short(message)}")
            value = msgspec.json.decode(message)
            if "method" in value and "id" in value:  # a method called the client
                self.was_called = True
                error = {"code": int(Code.METHOD_NOT_FOUND), "message": "Method not found"}
                self.send({"id": value["id"], "error": error})
            else:
                self.came.append(value)

    def check_alive(self, where: str) -> None:
        """The connection has survived what was sent."""
        self.send({"id": _LAST, "method": _LAST})
        if not self.until(lambda: any(each.get("id") == _LAST for each in self.came), 1):
            raise AssertionError(f"{where}: afterwards the connection answers no more")


class _Trial:
    """One request, and what comes of it."""

    def __init__(self, link: _Link, declared: _Declared, where: str, id: int, params: Any) -> None:
        self.link = link
        self.declared = declared
        self.where = where
        self.id = id
        self.request = {"id": id, "method": declared.name, "params": params}
        self.wire = declared.on(JSON)
        self.expected = self._expected(params)

    def _expected(self, params: Any) -> Code | None:
        """The code of the error that the types ask for; ``None``: the method is called."""
        if params is not None and not isinstance(params, list | dict):
            return Code.INVALID_REQUEST
        text = json.dumps(params, ensure_ascii=False).encode()
        try:
            self.wire.arguments(None if params is None else text)
        except RpcError:
            return Code.INVALID_PARAMS
        return None

    def run(self) -> None:
        """Raises ``AssertionError``."""
        try:
            self._run()
        except AssertionError as error:
            request = _short(json.dumps(self.request, ensure_ascii=False))
            raise AssertionError(f"{self.where}: {error}\nrequest: {request}") from error

    def _run(self) -> None:
        link = self.link
        link.came.clear()
        link.failures.last = None
        subscribing = isinstance(self.declared, Subscribable)
        if subscribing:
            link.send({"method": "$/credit", "params": {"items": _ITEMS}})
        link.send(self.request)
        if not link.until(lambda: bool(self._answers()), link.patience):
            if link.peer.gone:
                raise AssertionError("the connection ended instead of an answer")
            raise AssertionError(
                f"no answer came within {link.patience:g} s; what waits in a test has to be "
                "ended by it, or by a deadline"
            )
        (answer,) = self._answers()
        if "error" in answer:
            self._check_error(answer["error"])
        elif self.expected is not None:
            raise AssertionError(f"a result came, not the error {self.expected}: {_short(answer)}")
        elif subscribing:
            self._check_subscription(answer["result"])
        else:
            self._check_value(answer["result"])
        link.until(lambda: False, 0, _FEW)
        if len(self._answers()) != 1:
            raise AssertionError(f"more than one answer came: {_short(self._answers())}")

    def _answers(self) -> list[dict[str, Any]]:
        return [each for each in self.link.came if "method" not in each]

    def _check_value(self, value: Any) -> None:
        try:
            self.wire.value(msgspec.json.encode(value))
        except BadAnswer as error:
            raise AssertionError(f"{error}: {_short(value)}") from None

    def _check_error(self, error: Mapping[str, Any], *, ends: bool = False) -> None:
        code = error["code"]
        if self.expected is not None and not ends:
            if code != self.expected:
                raise AssertionError(f"not the error {self.expected:d} came: {_short(error)}")
            return
        if code == Code.INTERNAL_ERROR:
            raised = self.link.failures.last
            what = "" if raised is None else f" {type(raised.value).__name__}: {raised.value}"
            raise AssertionError(
                f"an error that is not meant for the peer (-32603) was raised:{_short(what)}"
            )
        improper = code in _RESERVED and code not in set(Code)
        if improper or (code in _NOT_OF_A_METHOD and not self.link.was_called):
            raise AssertionError(f"no method may answer with this error: {_short(error)}")

    def _check_subscription(self, number: int) -> None:
        """Some items come, then it is told to end."""
        link = self.link
        link.until(lambda: bool(self._of("$/end", number)), 1, _FEW)
        link.send({"method": "$/unsubscribe", "params": {"subscription": number}})
        if not link.until(lambda: bool(self._of("$/end", number)), link.patience):
            if link.peer.gone:
                raise AssertionError("the connection ended, not the subscription only")
            raise AssertionError("the subscription goes on after $/unsubscribe")
        for each in self._of("$/item", number):
            self._check_value(each["value"])
        for each in self._of("$/end", number):
            if "error" in each:
                self._check_error(each["error"], ends=True)

    def _of(self, method: str, number: int) -> list[dict[str, Any]]:
        return [
            each["params"]
            for each in self.link.came
            if each.get("method") == method and each["params"].get("subscription") == number
        ]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
