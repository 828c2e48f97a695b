"""Tests of the ``netlab`` command."""
