"""``MODULE:CLASS``: finding the application that a command line names."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from difflib import get_close_matches
from typing import Any

from netlab.errors import ConfigurationError
from netlab.escaping import escape

from .protocol import Echo, MessageFactory, MessageProtocol
from .server import Application

BUILT_IN: dict[str, type[MessageProtocol] | type[MessageFactory]] = {"echo": Echo}


def load_application(name: str) -> Application:
    """The application that ``name`` means: a built-in name, or ``MODULE:CLASS``.

    The module is looked for in the current folder too. Raises
    ``ConfigurationError``, one line that says what is wrong with the name.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    module_name, colon, class_name = name.partition(":")
    if not colon or not module_name or not class_name:
        known = ", ".join(BUILT_IN)
        raise _wrong(name, f"write MODULE:CLASS, as in shout:Shout, or one of: {known}")
    module = _import(name, module_name)
    found = getattr(module, class_name, None)
    if found is None:
        served = [each for each, value in vars(module).items() if _can_be_served(value)]
        near = get_close_matches(class_name, served, 1) or served
        hint = f"; it has {', '.join(near)}" if near else ""
        raise _wrong(name, f"module {module_name!r} has no {class_name!r}{hint}")
    if not _can_be_served(found):
        raise _wrong(
            name, f"{class_name} is not a subclass of netlab.MessageProtocol or MessageFactory"
        )
    application: Application = found
    return application


def _can_be_served(value: Any) -> bool:
    if isinstance(value, MessageFactory):
        return True
    return (
        isinstance(value, type)
        and issubclass(value, (MessageProtocol, MessageFactory))
        and value not in (MessageProtocol, MessageFactory)
    )


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
