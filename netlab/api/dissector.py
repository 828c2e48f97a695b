"""A Wireshark dissector of an api, in Lua.

Wireshark and tshark then show each call with its arguments by name, each answer with the
call it belongs to, and items with the method they come from. Each argument is a field:
``netlab.calculator.add.a == 1`` is a display filter. Under TLS it sees what Wireshark can
decrypt, with the file of the server's ``--key-log``.

Lua in Wireshark: https://www.wireshark.org/docs/wsdg_html_chunked/wsluarm.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from netlab.errors import ConfigurationError
from netlab.framing import ContentLength, Framing, LengthPrefix, Line, Netstring, Varint

from . import lua
from .declare import Subscribable
from .description import REFERENCE, Description
from .kinds import name_of

_TAKEN = (
    *("length", "id", "method", "error.code", "error.message", "subscription"),
    *("call", "answer", "time", "malformed", "unknown", "mismatch", "failed"),
)
_KINDS = {"integer": "int64", "number": "double", "boolean": "boolean", "string": "string"}
_CLASSES: dict[type[Framing], str] = {
    LengthPrefix: "length-prefix",
    Varint: "varint",
    Netstring: "netstring",
    ContentLength: "content-length",
    Line: "line",
}
DEFAULT_PORT = 8032
"""Where ``twistd netlab message`` listens unless it is told otherwise."""


def dissector(
    description: Description, framing: Framing | None = None, port: int = DEFAULT_PORT
) -> str:
    """The source of the dissector: a file for Wireshark's folder of plugins.

    framing  how messages are cut from the stream; ``LengthPrefix()`` unless given
    port     the TCP port where the api is served

    It is ASCII, whatever the names. Messages are JSON; MessagePack is shown as malformed.
    Raises ``ConfigurationError`` for a framing of one's own, or a port that is none.
    """
    if isinstance(port, bool) or not 1 <= port <= 65535:
        raise ConfigurationError(f"a port is from 1 to 65535, not {port}")
    framing = LengthPrefix() if framing is None else framing
    name = protocol_name(description)
    parts = [
        f"-- {_comment(description.name)}: a dissector for Wireshark, made by `netlab dissector`.",
        "-- Put it into the folder that Wireshark shows as Personal Lua Plugins (Help, About,",
        f"-- Folders), or name it: tshark -X lua_script:{name.rpartition('.')[2]}.lua -r FILE",
        "",
        f"local NAME = {quoted(name)}",
        f"local TITLE = {quoted(description.name)}",
        f"local PORT = {port}",
        f"local MAX_MESSAGE = {_max_message(framing)}",
        "",
        "-- By name on the wire. kind: how Wireshark keeps it; null: it may be null as well.",
        *_methods(description),
        "",
        _frame(framing),
        lua.JSON,
        lua.FIELDS,
        lua.DISSECTOR,
    ]
    return "\n".join(parts)


def protocol_name(description: Description) -> str:
    """What display filters call the api: ``netlab.calculator``."""
    return f"netlab.{_word(description.name).lower()}"


def quoted(text: str | bytes) -> str:
    """Text, or bytes, as a literal of Lua, in ASCII."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    body = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03d}"
        for byte in data
    )
    return f'"{body}"'


def _comment(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _word(text: str) -> str:
    """Of a name, what a display filter allows."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_") or "api"


def _methods(description: Description) -> list[str]:
    schemas = description.schemas()
    taken = set(_TAKEN)

    def entry(method: str, name: str, kind: Any, schema: Mapping[str, Any]) -> str:
        field = path = f"{_word(method)}.{_word(name)}"
        count = 1
        while field.lower() in taken:
            count += 1
            field = f"{path}_{count}"
        taken.add(field.lower())
        stored, null = _kind(schema, schemas.components)
        parts = [
            f"name = {quoted(name)}",
            f"kind = {quoted(stored)}",
            f"type = {quoted(name_of(kind))}",
            f"field = {quoted(field)}",
        ]
        return "{" + ", ".join(parts + ["null = true"] * null) + "}"

    lines = ["local METHODS = {"]
    for name, each in description.declared.items():
        signature, own = each.signature, schemas.methods[name]
        lines += [f"  [{quoted(name)}] = {{", f"    title = {quoted(name)},", "    arguments = {"]
        for argument in signature.arguments:
            schema = own.arguments[argument.name]
            lines.append(f"      {entry(name, argument.name, argument.type, schema)},")
        lines.append("    },")
        what = "item" if isinstance(each, Subscribable) else "result"
        lines.append(f"    result = {entry(name, what, signature.result, own.result)},")
        if isinstance(each, Subscribable):
            lines.append("    subscription = true,")
        lines.append("  },")
    return [*lines, "}"]


def _kind(schema: Mapping[str, Any], components: Mapping[str, Any]) -> tuple[str, bool]:
    """How Wireshark keeps such values, and whether they may be null as well."""
    while "$ref" in schema:
        schema = components[schema["$ref"].removeprefix(REFERENCE.format(name=""))]
    if "anyOf" in schema:
        others = [each for each in schema["anyOf"] if each.get("type") != "null"]
        kinds = {_kind(each, components)[0] for each in others}
        if kinds == {"int64", "double"}:
            kinds = {"double"}
        return (kinds.pop() if len(kinds) == 1 else "json"), len(others) < len(schema["anyOf"])
    if "enum" in schema:
        types = {type(each) for each in schema["enum"]}
        return ("string" if types == {str} else "int64" if types == {int} else "json"), False
    kind = schema.get("type")
    return (_KINDS.get(kind, "json") if isinstance(kind, str) else "json"), False


def _max_message(framing: Framing) -> int:
    most: int = getattr(framing, "max_message", 0)
    return most


def _frame(framing: Framing) -> str:
    kind = _CLASSES.get(type(framing))
    if kind is None:
        known = ", ".join(each.__name__ for each in _CLASSES)
        raise ConfigurationError(
            f"there is no dissector for {type(framing).__name__}: the framing is one of {known}"
        )
    source = lua.FRAMES[kind]
    if isinstance(framing, LengthPrefix):
        order = "le_" if framing.byteorder == "little" else ""
        read = f"{order}uint64():tonumber()" if framing.size == 8 else f"{order}uint()"
        for word, value in (
            ("SIZE", str(framing.size)),
            ("READ", read),
            ("ADJUSTMENT", str(framing.adjustment)),
        ):
            source = source.replace(f"@{word}@", value)
    elif isinstance(framing, Line):
        source = source.replace("@DELIMITER@", quoted(framing.delimiter))
    return source
