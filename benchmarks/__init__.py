"""Benchmarks of netlab beside its peers: ``python -m benchmarks --help``."""
