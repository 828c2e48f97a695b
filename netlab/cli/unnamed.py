"""Groups of subcommands with one that is meant when none is named: ``netlab rfc 2324``."""

from __future__ import annotations

import click


class WithUnnamed(click.Group):
    """Subcommands; where the first word names none of them, the ``Unnamed`` one is meant.

    Options may stand before the subcommand's name, too: they are the subcommand's.
    """

    @property
    def unnamed(self) -> str:
        """The name of the subcommand that is meant when none is named."""
        return next(name for name, each in self.commands.items() if isinstance(each, Unnamed))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts the subcommand's name first."""
        if args and not {"-h", "--help"} & set(args[:1]):
            at = self._first_word(args)
            if at is not None and args[at] in self.list_commands(ctx):
                args = [args[at], *args[:at], *args[at + 1 :]]
            else:
                args = [self.unnamed, *args]
        return super().parse_args(ctx, args)

    def _first_word(self, args: list[str]) -> int | None:
        """Where the first argument is that is neither an option nor an option's value."""
        valued = {
            name
            for command in self.commands.values()
            for option in command.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        at = 0
        while at < len(args):
            if not args[at].startswith("-"):
                return at
            at += 2 if args[at] in valued else 1
        return None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the help page."""
        return [name for name in self.commands if name != self.unnamed]

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """What the first line of the help page shows."""
        return ["[OPTIONS]", "NAME"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options of the unnamed one, and the subcommands."""
        self.commands[self.unnamed].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


class _Nameless(click.Context):
    """The context of a command that is meant when none is named."""

    @property
    def command_path(self) -> str:
        """What is typed to get there."""
        return "" if self.parent is None else self.parent.command_path


class Unnamed(click.Command):
    """What is meant when no subcommand is named."""

    context_class = _Nameless
