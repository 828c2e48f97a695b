"""The ``netlab`` command: a group of small programs.

Each subcommand is a module of this package, and its command has the module's
name. Only the one that is asked for is imported: a command that is typed must
answer at once, and Twisted alone takes a fifth of a second to import.
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress

import click

from netlab.errors import NetlabError
from netlab.escaping import escape

COMMANDS = {
    "new": "Make a project of your own: an api, its plugin and tests.",
    "send": "Send messages to a server and print its replies.",
    "call": "Call a method of a server and print its result.",
    "describe": "Show what a server offers: methods, subscriptions and types.",
    "docs": "Print the reference of an api, in Markdown.",
    "dissector": "Print a Wireshark dissector of an api.",
    "vectors": "Print test vectors of an api, for other languages.",
    "ping": "Send datagrams to a UDP echo and say what became of each.",
    "rfc": "Read an RFC, search them all, or copy them all into a folder.",
}
"""The subcommands, and what ``--help`` says of each."""

INTERRUPTED = 128 + 2
"""The exit status of a command that was ended by Ctrl-C (SIGINT is signal 2)."""


class Failed(click.ClickException):
    """Ends the command with one line on standard error and status 1."""

    def show(self, file: object = None) -> None:
        """Prints the line."""
        click.echo(f"netlab: {self.message}", err=True)


class Commands(click.Group):
    """The subcommands, imported when they are used; errors and Ctrl-C end them in good style."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or ``None``."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Runs what was asked for."""
        try:
            result: object = super().invoke(ctx)
            return result
        except NetlabError as error:
            raise Failed(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader of a pipe has seen enough: `netlab ... | head`
            _discard_output()
            sys.exit(1)
        except OSError as error:
            _discard_output()
            reason = escape(error.strerror or str(error))
            raise Failed(f"input or output failed: {reason[:1].lower()}{reason[1:]}") from error


def _discard_output() -> None:
    """Lets the interpreter end without trying once more to write what could not be written."""
    with suppress(OSError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="netlab", message="%(prog)s %(version)s")
def main() -> None:
    """Talk to servers from the command line.

    Start one with "twistd -n netlab", and in another window send it something:
    "netlab send hello" or "netlab ping localhost". The server is started and configured with
    twistd; see "twistd netlab --help".
    """
