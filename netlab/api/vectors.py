"""Test vectors of an api: requests byte for byte, and what is to be answered.

For those who write a server or a client in another language. All of it follows from
the declarations; each request was read by netlab's own session, and each error is the
one that it gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from netlab.framing import FRAMINGS

from .declare import Method, Subscribable
from .description import Description, MethodSchemas, Schemas
from .jsonrpc import JSON, Code, RequestCame, RpcError, Session, error_of
from .openrpc import DISCOVER, draft7
from .samples import accepted, samples, wrong_values
from .signature import Argument, Passing

FORMAT = 1
"""Of the document; it grows by members, and counts up when one changes its meaning."""

ABOUT = (
    "Send each request as one frame on a connection of its own, and compare what comes back "
    "with its answer. null: nothing comes. With result: a JSON-RPC response with this id, "
    "whose result fits the schema (JSON Schema draft 7, references into components of this "
    "document); a server may answer with an error of its application instead: a code outside "
    "-32768 to -32000, or -32602 for what no schema can say. With error: this id and this "
    "code; message and data are netlab's words. An array: a batch, in any order. With item: the "
    "result is the number of a subscription, and the schema is that of the value of each $/item."
)

_Declared = Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any]


def vectors(description: Description) -> dict[str, Any]:
    """The test vectors of an api, to be encoded as JSON; the same each time.

    ``untested`` has the arguments for which no valid value could be found, such as those
    with a pattern: ``examples`` in their ``msgspec.Meta`` help.
    """
    schemas = description.schemas()
    made: list[dict[str, Any]] = []
    untested: list[str] = []
    first: tuple[str, Any] | None = None
    for name, each in description.declared.items():
        maker = _Maker(description, each, schemas)
        untested += maker.untested
        made += maker.all()
        if first is None and not maker.untested and isinstance(each, Method):
            first = name, maker.params
    made += _of_the_protocol(description, schemas, first)
    _name_apart(made)
    example = made[0]["request"]["text"].encode()
    return {
        "format": FORMAT,
        "api": description.name,
        "about": ABOUT,
        "framings": {name: framing().encode(example).hex() for name, framing in FRAMINGS.items()},
        "components": {
            "schemas": {name: draft7(each) for name, each in schemas.components.items()}
        },
        "untested": untested,
        "vectors": made,
    }


def _name_apart(made: list[dict[str, Any]]) -> None:
    """No two have the same name: long values are shown by their beginning only."""
    seen: dict[str, int] = {}
    for each in made:
        count = seen[each["name"]] = seen.get(each["name"], 0) + 1
        if count > 1:
            each["name"] += f" ({count})"


class _Maker:
    """Those of one method."""

    def __init__(self, description: Description, each: _Declared, schemas: Schemas) -> None:
        self.description = description
        self.schemas = schemas
        self.each = each
        self.arguments = each.signature.arguments
        self.own: MethodSchemas = schemas.methods[each.name]
        self.right: dict[str, list[Any]] = {}
        self.untested: list[str] = []
        for at, argument in enumerate(self.arguments):
            values = self._right(argument)
            if values:  # add(1, 2) says more than add(1, 1)
                self.right[argument.name] = values[at % len(values) :] + values[: at % len(values)]
            elif argument.required:
                self.untested.append(f"{each.name}: {argument.name}")

    def _right(self, argument: Argument) -> list[Any]:
        schema = self.own.arguments[argument.name]
        return accepted(samples(schema, self.schemas.components), argument.type)

    @property
    def named(self) -> dict[str, Any]:
        """All arguments by name, as far as there are values."""
        return {name: values[0] for name, values in self.right.items()}

    @property
    def params(self) -> Any:
        """Of a valid call: by position if that can be."""
        placed = [each.name for each in self.each.signature.positional]
        needs_names = any(
            each.required and each.passing is Passing.NAMED for each in self.arguments
        )
        if needs_names or not all(name in self.right for name in placed):
            return self.named
        return [self.right[name][0] for name in placed]

    def all(self) -> Iterator[dict[str, Any]]:
        """Valid calls, then wrong ones."""
        if not self.untested:
            yield from self._valid()
        yield from self._wrong()

    def _vector(self, what: str, params: Any) -> dict[str, Any]:
        request: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": self.each.name}
        if params is not None:
            request["params"] = params
        name = f"{self.each.name}: {what}"
        return _vector(self.description, self.schemas, name, msgspec.json.encode(request))

    def _valid(self) -> Iterator[dict[str, Any]]:
        params = self.params
        if isinstance(params, list):
            yield self._vector("by position", params)
        if self.arguments:
            yield self._vector("by name", self.named)
        required = {each.name: self.right[each.name][0] for each in self.arguments if each.required}
        if not required:
            yield self._vector("without params", None)
        elif len(required) < len(self.arguments):
            yield self._vector("without those that have a default", required)
        for argument in self.arguments:
            for value in self.right.get(argument.name, ())[1:6]:
                yield self._vector(
                    f"{argument.name} is {_shown(value)}", {**self.named, argument.name: value}
                )

    def _wrong(self) -> Iterator[dict[str, Any]]:
        named = self.named
        if not self.untested:
            for argument in self.arguments:
                if argument.required:
                    rest = {name: each for name, each in named.items() if name != argument.name}
                    yield self._vector(f"without {argument.name}", rest)
            required = [each for each in self.arguments if each.required]
            if required and required[0].passing is not Passing.NAMED:
                yield self._vector("without arguments", [])
            params = self.params
            if isinstance(params, list):
                yield self._vector("one argument too many", [*params, None])
            yield self._vector("an unknown argument", {**named, "noSuchArgument": 1})
        for argument in self.arguments:
            schema = self.own.arguments[argument.name]
            seen: set[str] = set()
            for value in wrong_values(schema, self.schemas.components, argument.type):
                what = f"wrong {argument.name}: {_shown(value)}"
                vector = self._vector(what, {**named, argument.name: value})
                error = vector["answer"].get("error")
                if error is None or error["message"] in seen or len(seen) >= 6:
                    continue
                seen.add(error["message"])
                yield vector


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _of_the_protocol(
    description: Description, schemas: Schemas, first: tuple[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """What JSON-RPC 2.0 asks of any server; most of it from the examples of its section 7."""

    def vector(name: str, text: str) -> dict[str, Any]:
        return _vector(description, schemas, f"JSON-RPC: {name}", text.encode())

    head = '"jsonrpc":"2.0"'
    if first is not None:
        method, params = first
        call = f'"method":{_json(method)},"params":{_json(params)}'
        for kind, id in (
            ("text", '"a1"'),
            ("text that is a number", '"1"'),
            ("negative", "-7"),
            ("beyond 53 bits", "9007199254740993"),
            ("null", "null"),
        ):
            yield vector(f"an id that is {kind}", f'{{{head},"id":{id},{call}}}')
        yield vector("a notification has no answer", f"{{{head},{call}}}")
        yield vector("members in any order", f'{{{call},"id":1,{head}}}')
        yield vector("white space", f' {{ {head} ,\t "id": 1 , {call} }} ')
        yield vector(
            "a batch",
            f'[{{{head},"id":1,{call}}},{{{head},{call}}},{{{head},"id":"2",{call}}},'
            f'{{{head},"id":3,"method":"noSuchMethod"}},{{"foo":"boo"}}]',
        )
        yield vector("a batch of notifications has no answer", f"[{{{head},{call}}}]")
        yield vector("a member twice", f'{{{head},"id":1,"id":2,{call}}}')
        yield vector("another version", f'{{"jsonrpc":"1.0","id":1,{call}}}')
        yield vector("no version", f'{{"id":1,{call}}}')
        yield vector("an id that is an object", f'{{{head},"id":{{}},{call}}}')
    yield vector("an unknown method", f'{{{head},"id":1,"method":"noSuchMethod"}}')
    yield vector("an unknown notification", f'{{{head},"method":"noSuchMethod"}}')
    yield vector("the api's OpenRPC document", f'{{{head},"id":1,"method":"{DISCOVER}"}}')
    yield vector("params that are text", f'{{{head},"id":1,"method":"foobar","params":"bar"}}')
    yield vector("a method that is a number", f'{{{head},"id":1,"method":1,"params":"bar"}}')
    yield vector("not JSON", f'{{{head},"method":"foobar, "params":"bar","baz]')
    yield vector(
        "a batch that is not JSON", f'[{{{head},"method":"foo","id":"1"}},{{{head},"method"]'
    )
    yield vector("nothing", "")
    yield vector("an empty batch", "[]")
    yield vector("a batch of what is no request", "[1,2,3]")
    yield vector("a number", "1")
    cancel = '"method":"$/cancelRequest","params":{"id":"no such request"}'
    yield vector("cancelling what is unknown has no answer", f"{{{head},{cancel}}}")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _vector(
    description: Description, schemas: Schemas, name: str, request: bytes
) -> dict[str, Any]:
    return {
        "name": name,
        "request": {"text": request.decode(), "hex": request.hex()},
        "answer": _answer(description, schemas, request),
    }


def _answer(description: Description, schemas: Schemas, request: bytes) -> Any:
    """What a server of the api answers, from the session and the declarations themselves."""
    session = Session()
    results: dict[bytes, dict[str, Any]] = {}
    for event in session.receive(request):
        if not isinstance(event, RequestCame):
            continue
        outcome = _outcome(description, schemas, event)
        if isinstance(outcome, RpcError):
            session.reply_error(event, outcome)
        else:
            session.reply(event, 0)
            results[event.echo] = outcome
    said = session.take()
    if not said:
        return None
    answers = msgspec.json.decode(said[0])
    batch = isinstance(answers, list)
    made = []
    for answer in answers if batch else [answers]:
        id = answer["id"]
        if "error" in answer:
            made.append({"id": id, "error": answer["error"]})
        else:
            made.append({"id": id, **results[msgspec.json.encode(id)]})
    return made if batch else made[0]


def _outcome(
    description: Description, schemas: Schemas, request: RequestCame
) -> dict[str, Any] | RpcError:
    if request.method == DISCOVER:
        return {"result": {"type": "object", "required": ["openrpc", "info", "methods"]}}
    each = description.declared.get(request.method)
    if each is None:
        return error_of(Code.METHOD_NOT_FOUND)
    try:
        each.on(JSON).arguments(request.params)
    except RpcError as error:
        return error
    result: Mapping[str, Any] = schemas.methods[each.name].result
    if isinstance(each, Subscribable):
        return {"result": {"type": "integer"}, "item": draft7(result)}
    return {"result": draft7(result)}
