"""What an api declares, as a value: documents, completion and dissectors are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from .declare import Method, Subscribable

REFERENCE = "#/components/schemas/{name}"


@dataclass(frozen=True)
class MethodSchemas:
    """JSON Schemas (draft 2020-12) of one method: of its arguments, in order, and its result.

    A schema may refer to those of ``Schemas.components``. That of an argument with a
    default has the ``default``, if JSON can write it.
    """

    arguments: Mapping[str, dict[str, Any]]
    result: dict[str, Any]


@dataclass(frozen=True)
class Schemas:
    """JSON Schemas of a whole api: ``methods`` by name, and the named types they share."""

    methods: Mapping[str, MethodSchemas]
    components: Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Description:
    """An api: the ``name`` of its class, its ``doc``, and what it declares, by name on the wire."""

    name: str
    doc: str
    declared: Mapping[str, Method[Any, Any, Any, Any] | Subscribable[Any, Any, Any, Any]]

    @property
    def summary(self) -> str:
        """The first paragraph of the doc, as one line."""
        return " ".join(self.doc.partition("\n\n")[0].split())

    def schemas(self) -> Schemas:
        """JSON Schemas of all arguments and results."""
        kinds: list[Any] = []
        for each in self.declared.values():
            kinds += (argument.type for argument in each.signature.arguments)
            kinds.append(each.signature.result)
        made, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
        schemas = iter(made)
        methods: dict[str, MethodSchemas] = {}
        for name, each in self.declared.items():
            arguments: dict[str, dict[str, Any]] = {}
            for argument in each.signature.arguments:
                schema = dict(next(schemas))
                if not argument.required:
                    schema["default"] = msgspec.json.decode(msgspec.json.encode(argument.default))
                arguments[argument.name] = schema
            methods[name] = MethodSchemas(arguments, next(schemas))
        return Schemas(methods, components)
