"""One declared method in one codec: arguments and results between Python and bytes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from netlab.errors import NetlabError
from netlab.framing import Framing

from .jsonrpc.codecs import UNREADABLE, Codec
from .jsonrpc.errors import BadAnswer, Code, RpcError, error_of
from .jsonrpc.session import TOKEN
from .jsonrpc.state import MAX_ID
from .jsonrpc.subscriptions import Publication
from .kinds import never_changes
from .signature import Passing, Signature

Given = tuple[tuple[Any, ...], dict[str, Any], int | str | None]
"""What a peer gave: positional arguments, named ones, the token for progress."""

_Token: TypeAlias = int | Annotated[str, msgspec.Meta(max_length=MAX_ID)]

_PLACE = re.compile(r"^\$\[(\d+)\]")
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"missing required field `(.*)`")
_LENGTH = re.compile(r"^Expected `array` of at (?:least|most) length")


class WrongResult(NetlabError):
    """A method of this program gave what its annotation does not allow; the peer is not told."""

    kind = "wrong_result"


class Wire:
    """``signature`` of the method called ``name``, in ``codec``."""

    __slots__ = (
        "_array",
        "_encode",
        "_fixed",
        "_last",
        "_last_frame",
        "_needs_none",
        "_object",
        "_positional",
        "_value",
        "codec",
        "name",
        "signature",
    )

    def __init__(self, name: str, signature: Signature, codec: Codec) -> None:
        self.name = name
        self.signature = signature
        self.codec = codec
        self._positional = len(signature.positional)
        self._needs_none = all(not each.required for each in signature.arguments)
        self._array = codec.decoder(_struct(signature, by_name=False)).decode
        self._object = codec.decoder(_struct(signature, by_name=True)).decode
        self._encode = codec.encode
        self._value = codec.decoder(signature.result).decode
        self._fixed = never_changes(signature.result)
        self._last: tuple[Any, Raw] | None = None
        self._last_frame: tuple[Any, bytes, Framing, bytes] | None = None

    # -- the side that serves

    def arguments(self, params: bytes | None) -> Given:
        """The arguments that the peer gave, converted and validated.

        Raises ``RpcError`` -32602; its data has the ``argument``, the ``path`` of the
        fault as in JSONPath, and the ``reason``.
        """
        try:
            if params is None:
                params = b"[]" if self.codec.name == "json" else b"\x90"
            if self.codec.is_array(params):
                values = msgspec.structs.astuple(self._array(params))
                if len(values) == len(self.signature.arguments):
                    return values, {}, None
                return self._all(values)
            *given, token = msgspec.structs.astuple(self._object(params))
        except UNREADABLE as error:
            raise self._fault(error) from None
        cut = self._positional
        names = [each.name for each in self.signature.arguments[cut:]]
        named = dict(zip(names, given[cut:], strict=True))
        return tuple(given[:cut]), named, None if token is UNSET else token

    def _all(self, values: tuple[Any, ...]) -> Given:
        """Named-only arguments have no place: they have their defaults, or are missing."""
        rest = self.signature.arguments[self._positional :]
        for each in rest:
            if each.required:
                reason = f"{each.name} is missing, and is given by name only"
                raise self._error(each.name, f"$.{each.name}", reason)
        return values, {each.name: each.default for each in rest}, None

    def result(self, value: Any) -> Raw:
        """A result, or an item of a subscription, encoded.

        A frozen ``msgspec.Struct`` that goes to many subscribers, one after another, is
        encoded once, if nothing within it can change. Raises ``WrongResult`` when it is
        not what the annotation says.
        """
        last = self._last
        if last is not None and last[0] is value:
            return last[1]
        try:
            data = self._encode(value)
            self._value(data)
        except UNREADABLE as error:
            kind = type(value).__name__
            raise WrongResult(f"{self.name} gave a {kind}: {_text(error)}") from None
        raw = Raw(data)
        if self._fixed and isinstance(value, msgspec.Struct) and value.__struct_config__.frozen:
            self._last = (value, raw)
        return raw

    def frame(self, publication: Publication, value: Any, framing: Framing) -> bytes:
        """An item of ``publication`` in ``framing``, for all subscribers who number it alike.

        Raises as ``result``, and ``OutgoingFrameTooLong``.
        """
        last = self._last_frame
        if (
            last is not None
            and last[0] is value
            and last[1] is publication.before
            and last[2] is framing
        ):
            return last[3]
        data = bytes(self.result(value))
        frame = framing.encode(publication.before + data + publication.after)
        if self._last is not None and self._last[0] is value:
            self._last_frame = (value, publication.before, framing, frame)
        return frame

    # -- the side that calls

    def params(self, args: Sequence[Any], named: Mapping[str, Any]) -> list[Any] | dict[str, Any]:
        """Arguments as Python passes them, as params: by position if all of them are.

        Raises ``TypeError``, as a call in Python does, when they are not those declared.
        """
        arguments = self.signature.arguments
        if len(args) > self._positional:
            raise TypeError(
                f"{self.usage} takes {self._positional} positional arguments, not {len(args)}"
            )
        taken = {each.name for each in arguments[: len(args)]}
        known = {each.name for each in arguments}
        for name in named:
            if name not in known:
                raise TypeError(f"{self.usage} has no argument {name!r}")
            if name in taken:
                raise TypeError(f"{self.usage}: argument {name!r} is given twice")
        for each in arguments[len(args) :]:
            if each.required and each.name not in named:
                raise TypeError(f"{self.usage}: argument {each.name!r} is missing")
        if not named:
            return list(args)
        return {**dict(zip((each.name for each in arguments), args, strict=False)), **named}

    def value(self, data: bytes | Raw) -> Any:
        """A result, or an item, that the peer sent. Raises ``BadAnswer``."""
        try:
            return self._value(data)
        except UNREADABLE as error:
            raise BadAnswer(
                f"the result of {self.name} is not as declared: {_text(error)}"
            ) from None

    # -- saying what is wrong

    @property
    def usage(self) -> str:
        """The method with its arguments: ``add(a: int, b: int)``."""
        return f"{self.name}({', '.join(map(str, self.signature.arguments))})"

    def _error(self, argument: str | None, path: str, reason: str) -> RpcError:
        data = {"path": path, "reason": reason, "usage": self.usage}
        if argument is not None:
            data["argument"] = argument
        where = argument if argument is not None and path == f"$.{argument}" else path
        text = reason if argument and reason.startswith(f"{argument} ") else f"{where}: {reason}"
        return error_of(Code.INVALID_PARAMS, text if path != "$" else reason, data)

    def _fault(self, error: Exception) -> RpcError:
        """What ``msgspec`` found wrong, in terms of this method."""
        matched = _AT.match(_text(error))
        assert matched is not None
        what, path = matched["what"], matched["path"] or "$"
        place = _PLACE.match(path)
        if place is not None and int(place[1]) < len(self.signature.arguments):
            name = self.signature.arguments[int(place[1])].name
            path = f"$.{name}{path[place.end() :]}"
        if path == "$":
            unknown, missing = _UNKNOWN.search(what), _MISSING.search(what)
            if missing is not None:
                return self._error(missing[1], f"$.{missing[1]}", f"{missing[1]} is missing")
            if unknown is not None:
                return self._unknown(unknown[1])
            if _LENGTH.match(what):
                return self._error(None, "$", f"the arguments are {self.usage}")
            return self._error(None, "$", what)
        argument = re.split(r"[.\[]", path.removeprefix("$."), maxsplit=1)[0]
        return self._error(argument, path, what)

    def _unknown(self, name: str) -> RpcError:
        shown = name[:40]
        names = [each.name for each in self.signature.arguments]
        near = difflib.get_close_matches(shown, names, 1)
        hint = f"; is it {near[0]}?" if near else f": the arguments are {self.usage}"
        return self._error(shown, f"$.{shown}", f"{shown} is no argument{hint}")


def _struct(signature: Signature, *, by_name: bool) -> Any:
    """The arguments as a ``msgspec`` type; with the token for progress if they have names."""
    fields: list[Any] = []
    for each in signature.arguments:
        if not by_name and each.passing is Passing.NAMED:
            continue
        if each.required:
            fields.append((each.name, each.type))
        else:
            default = each.default
            fields.append((each.name, each.type, msgspec.field(default_factory=_giver(default))))
    if by_name:
        fields.append((TOKEN, _Token | UnsetType, UNSET))
    return msgspec.defstruct(
        "Arguments",
        fields,
        array_like=not by_name,
        forbid_unknown_fields=True,
        kw_only=by_name,
        gc=False,
    )


def _giver(value: Any) -> Any:
    """What gives ``value``: the same object each time, as Python's own defaults are."""
    return lambda: value


def _text(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "too many arrays and objects in each other"
    if isinstance(error, UnicodeDecodeError):
        return "text is not UTF-8"
    return str(error)[:300]
