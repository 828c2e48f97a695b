"""An api as an OpenRPC document, which is what ``rpc.discover`` answers.

OpenRPC 1.3.2 (https://spec.open-rpc.org/) says of a JSON-RPC service what OpenAPI
says of an HTTP one; its schemas are JSON Schema draft 7. What OpenRPC has no words for
stands in members of its own:

    x-idempotent    of a method: ``true`` when a client may repeat it
    x-subscription  of a method whose result is the number of a subscription: ``item``,
                    the schema of what follows, and ``whenSlow`` (``block``, ``drop``, ``close``)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from .declare import Method, Subscribable
from .description import Description, MethodSchemas
from .jsonrpc.errors import TITLES, Code
from .signature import Passing

VERSION = "1.3.2"
"""Of OpenRPC."""

DISCOVER = "rpc.discover"
"""The method that answers with the document."""

_META = "https://raw.githubusercontent.com/open-rpc/meta-schema/master/schema.json"
_ERROR = "#/components/errors/{name}"
_ANY_METHOD = (
    *(Code.INVALID_PARAMS, Code.INTERNAL_ERROR, Code.REQUEST_CANCELLED, Code.NOT_ALLOWED),
    *(Code.TOO_MANY_REQUESTS, Code.DEADLINE_EXCEEDED, Code.SERVER_STOPPING),
)
_IN_LISTS = ("anyOf", "allOf", "oneOf")
_IN_OBJECTS = ("properties", "patternProperties", "definitions")
_IN_PLACE = ("items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not")


def document(description: Description) -> dict[str, Any]:
    """The OpenRPC document of an api, to be encoded as JSON.

    ``info.version`` changes exactly when the rest of the document does.
    """
    schemas = description.schemas()
    methods = [_method(each, schemas.methods[name]) for name, each in description.declared.items()]
    info = {"title": description.name, "version": ""}
    if description.doc:
        info["description"] = description.doc
    made: dict[str, Any] = {
        "openrpc": VERSION,
        "info": info,
        "methods": [*methods, _discover()],
        "components": {
            "schemas": {name: draft7(each) for name, each in schemas.components.items()},
            "errors": {
                _name(code): {"code": int(code), "message": title} for code, title in TITLES.items()
            },
        },
    }
    # Semantic versioning (https://semver.org, 10) has a place for what a thing is made of.
    digest = hashlib.sha256(msgspec.json.encode(made, order="sorted")).hexdigest()
    info["version"] = f"0.0.0+{digest[:12]}"
    return made


def draft7(schema: Any) -> Any:
    """A schema of draft 2020-12, as ``Description.schemas`` has it, in the words of draft 7."""
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _IN_LISTS:
            made[key] = [draft7(each) for each in value]
        elif key in _IN_OBJECTS:
            made[key] = {name: draft7(each) for name, each in value.items()}
        elif key in _IN_PLACE:
            made[key] = draft7(value)
        elif key not in ("prefixItems", "discriminator"):  # the latter is only OpenAPI's
            made[key] = value
    if "prefixItems" in schema:
        rest = made.pop("items", None)
        made["items"] = [draft7(each) for each in schema["prefixItems"]]
        if rest is not None:
            made["additionalItems"] = rest
    if "$ref" in made and len(made) > 1:  # draft 7 ignores what stands beside a reference
        made["allOf"] = [{"$ref": made.pop("$ref")}, *made.get("allOf", ())]
    return made


def by_name_only(each: Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any]) -> bool:
    """Whether not all arguments can be given by position."""
    return any(argument.passing is Passing.NAMED for argument in each.signature.arguments)


def _method(
    each: Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any], schemas: MethodSchemas
) -> dict[str, Any]:
    made: dict[str, Any] = {"name": each.name}
    if each.summary:
        made["summary"] = each.summary
        if each.doc != each.summary:
            made["description"] = each.doc
    named = by_name_only(each)
    params = [
        _descriptor(argument.name, schemas.arguments[argument.name], argument.required)
        for argument in each.signature.arguments
    ]
    # Those that are required come first, says OpenRPC. Python has them so, but for
    # those that have no position.
    made["paramStructure"] = "by-name" if named else "either"
    made["params"] = sorted(params, key=lambda each: not each["required"]) if named else params
    codes = list(_ANY_METHOD)
    if isinstance(each, Subscribable):
        number = {"type": "integer", "description": "The number of the subscription."}
        made["result"] = _descriptor("subscription", number, required=True)
        made["x-subscription"] = {"item": draft7(schemas.result), "whenSlow": each.when_slow}
        codes.append(Code.TOO_MANY_SUBSCRIPTIONS)
    else:
        made["result"] = _descriptor("result", schemas.result, required=True)
        codes.append(Code.ANSWER_TOO_LONG)
        if each.idempotent:
            made["x-idempotent"] = True
    made["errors"] = [{"$ref": _ERROR.format(name=_name(code))} for code in codes]
    return made


def _descriptor(name: str, schema: Mapping[str, Any], required: bool) -> dict[str, Any]:
    """A content descriptor: what OpenRPC calls an argument or result."""
    made: dict[str, Any] = {"name": name}
    if "description" in schema:
        made["description"] = schema["description"]
    made["required"] = required
    made["schema"] = draft7(schema)
    return made


def _discover() -> dict[str, Any]:
    """As the specification has it, in "Service Discovery Method"."""
    return {
        "name": DISCOVER,
        "description": "Returns an OpenRPC schema as a description of this service",
        "params": [],
        "result": {"name": "OpenRPC Schema", "schema": {"$ref": _META}},
    }


def _name(code: Code) -> str:
    """``TooManyRequests``."""
    return code.name.title().replace("_", "")
