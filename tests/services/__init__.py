"""Tests of netlab.services."""
