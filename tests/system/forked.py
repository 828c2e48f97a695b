"""Runs twistd again and again, each time in a fork: what is imported is imported once.

Arguments: a file with a JSON list of command lines (without ``twistd``). Prints a JSON list
of what became of each: its exit status and what it said. As a program it is the same as
``twistd`` from its first line on; only its start costs a twentieth.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

_SECONDS = 30  # until one that does not end is killed


def main() -> None:
    """Runs them all; returns in each of the forks, too, which then end as any program does."""
    from twisted.scripts.twistd import run

    import netlab.tap  # noqa: F401

    found = []
    for arguments in json.loads(Path(sys.argv[1]).read_text()):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if not child:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                signal.alarm(_SECONDS)
                sys.argv = ["twistd", *arguments]
                run()
                return
            _, status = os.waitpid(child, 0)
            said = [file.seek(0) or file.read().decode() for file in (out, err)]
        found.append([os.waitstatus_to_exitcode(status), *said])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
