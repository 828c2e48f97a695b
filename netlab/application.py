"""``MODULE:CLASS``: finding the application that a command line names."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from netlab.errors import ConfigurationError
from netlab.escaping import escape


def load(
    name: str,
    built_in: Mapping[str, Any],
    can_be_served: Callable[[Any], bool],
    *,
    bases: str,
    example: str,
) -> Any:
    """The application that ``name`` means: one of ``built_in``, or ``MODULE:CLASS``.

    The module is looked for in the current folder too. ``bases`` says what its
    class must be made of, ``example`` is a good name. Raises
    ``ConfigurationError``, one line that says what is wrong with the name.
    """
    if name in built_in:
        return built_in[name]
    module_name, colon, class_name = name.partition(":")
    if not colon or not module_name or not class_name:
        known = ", ".join(built_in)
        raise _wrong(name, f"write MODULE:CLASS, as in {example}, or one of: {known}")
    module = _import(name, module_name)
    found = getattr(module, class_name, None)
    if found is None:
        served = [each for each, value in vars(module).items() if can_be_served(value)]
        near = get_close_matches(class_name, served, 1) or served
        hint = f"; it has {', '.join(near)}" if near else ""
        raise _wrong(name, f"module {module_name!r} has no {class_name!r}{hint}")
    if not can_be_served(found):
        raise _wrong(name, f"{class_name} is not a subclass of {bases}")
    return found


def _import(name: str, module_name: str) -> Any:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name == module_name or module_name.startswith(f"{error.name}."):
            text = f"there is no module {module_name!r} in {folder} or among what is installed"
            raise _wrong(name, text) from error
        raise _wrong(name, f"{module_name!r} imports {error.name!r}, which is missing") from error
    except (Exception, SystemExit) as error:  # the module's own code failed
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
        if isinstance(error, SyntaxError):
            where = f" ({error.filename}, line {error.lineno})"
        what = escape(str(getattr(error, "msg", None) or error))
        raise _wrong(name, f"importing it raised {type(error).__name__}: {what}{where}") from error


def _wrong(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"application {escape(name)!r}: {why}")
