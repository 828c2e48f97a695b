"""Room for as many open connections as were asked for."""

from __future__ import annotations

from netlab.errors import ConfigurationError

SPARE = 64
"""Descriptors left for listeners, logs, files and the interpreter."""


def allow_descriptors(connections: int) -> None:
    """Raises this process's descriptor limit, if it must, so that ``connections`` fit.

    Raises ``ConfigurationError`` when the system's hard limit is below that.
    """
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigurationError(
            f"max_connections of {connections} does not fit: this process may open {hard} files, "
            f"and {SPARE} are kept free; raise the limit (ulimit -n, LimitNOFILE=)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
