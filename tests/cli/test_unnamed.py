# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from netlab.cli.unnamed import Unnamed, WithUnnamed


@click.group(cls=WithUnnamed)
def tea() -> None:
    """Makes tea."""


@tea.command("drink", cls=Unnamed, hidden=True)
@click.argument("name")
@click.option("--sugar", default=0, help="Lumps.")
def drink(name: str, sugar: int) -> None:
    """Drinks it."""
    click.echo(f"drink {name} {sugar}")


@tea.command("make")
@click.option("--pots", default=1)
def make(pots: int) -> None:
    """Makes some."""
    click.echo(f"make {pots}")


class UnnamedTests(SynchronousTestCase):
    def run_it(self, *words: str) -> str:
        return CliRunner().invoke(tea, words, prog_name="tea").output

    def test_meant(self) -> None:
        self.assertEqual(self.run_it("assam"), "drink assam 0\n")
        self.assertEqual(self.run_it("--sugar", "2", "assam"), "drink assam 2\n")

    def test_named(self) -> None:
        """By its first word that is neither an option nor the value of one."""
        self.assertEqual(self.run_it("make"), "make 1\n")
        self.assertEqual(self.run_it("--pots", "3", "make"), "make 3\n")

    def test_help(self) -> None:
        """Has the options of the unnamed one, and the names of the others."""
        said = self.run_it("--help")
        self.assertIn("Lumps.", said)
        self.assertIn("make", said)
        self.assertNotIn("drink", said)

    def test_usage(self) -> None:
        self.assertTrue(self.run_it("assam", "x").startswith("Usage: tea [OPTIONS] NAME\n"))
