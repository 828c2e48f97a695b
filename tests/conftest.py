"""What holds for all tests."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Generator

import pytest
from hypothesis import settings

# A time limit for each example would only find how busy the machine is.
settings.register_profile("netlab", deadline=None)
settings.load_profile("netlab")

ALONE = "alone"
"""The mark of a test that compares how long things take: no other runs beside it."""


def pytest_configure(config: pytest.Config) -> None:
    """Makes the mark known."""
    config.addinivalue_line("markers", f"{ALONE}: runs while no other test does")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Holds a lock that the processes of pytest-xdist share; a test that runs alone, all of it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        return (yield)
    path = os.path.join(tempfile.gettempdir(), f"netlab-tests-{run}")
    with open(f"{path}.queue", "w") as queue, open(path, "w") as running:
        # Whoever waits for the others holds the queue, so that no other gets ahead.
        fcntl.flock(queue, fcntl.LOCK_EX)
        alone = item.get_closest_marker(ALONE) is not None
        fcntl.flock(running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(queue, fcntl.LOCK_UN)
        return (yield)
