"""Tests of the impairments."""
