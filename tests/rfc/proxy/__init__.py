"""Tests of netlab.rfc.proxy."""
