"""Tests of the datagram engine."""
