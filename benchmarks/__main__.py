"""``python -m benchmarks NAME [options]``: run one benchmark; ``--help`` lists them.

A benchmark is a module of this package with ``main(arguments) -> exit status``, named in
:data:`BENCHMARKS`. It stands on :mod:`benchmarks.harness` and :mod:`benchmarks.report`.
"""

from __future__ import annotations

import importlib
import signal
import sys

from benchmarks.harness import BenchmarkError

BENCHMARKS = {
    "message": "messages on TCP: CPU per message, memory of idle connections",
    "datagram": "datagrams on UDP: CPU per datagram, echoed and impaired",
    "api": "calls, and rooms: CPU per call and per delivery, memory of members",
    "http": "documents over HTTP: CPU per request, beside caches and Twisted's own",
    "library": "a collection of RFCs: mirrored, made searchable, searched",
}


def usage() -> str:
    names = "\n".join(f"  {name:<10} {text}" for name, text in BENCHMARKS.items())
    return (
        "usage: python -m benchmarks NAME [options]\n\n"
        f"{names}\n\n"
        "python -m benchmarks NAME --help tells a benchmark's options."
    )


def stop(signal_number: int, _frame: object) -> None:
    """End as Ctrl-C does, so that every process that was started is ended too."""
    raise SystemExit(128 + signal_number)


def main() -> int:
    """Dispatch to the benchmark's module."""
    name, *arguments = sys.argv[1:] or [""]
    if name in ("-h", "--help", "help"):
        print(usage())
        return 0
    if name not in BENCHMARKS:
        print(usage(), file=sys.stderr)
        return 2
    if sys.platform != "linux":
        print("the benchmarks read Linux's /proc and run only there", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    benchmark = importlib.import_module(f"benchmarks.{name}")
    try:
        status: int = benchmark.main(arguments)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
