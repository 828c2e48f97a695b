"""What somebody writes in a quarter of an hour: fetch each text, then a full-text table of them.

Run: ``python -m benchmarks.peers.plain_library URL DIRECTORY``. One connection, one process;
nothing is made sure of, gone on with, or said about a document but its text.
"""

import http.client
import re
import sqlite3
import sys
from pathlib import Path
from urllib.parse import urlsplit


def main(url: str, directory: str) -> None:
    """Copy and index what the index at ``url`` names; print how many texts."""
    parts = urlsplit(url)
    folder = Path(directory)
    folder.mkdir()
    connection = http.client.HTTPConnection(parts.netloc)

    def get(name: str) -> bytes:
        connection.request("GET", parts.path + name)
        return connection.getresponse().read()

    index = get("rfc-index.xml").decode()
    numbers = [int(each) for each in re.findall(r"<rfc-entry>\s*<doc-id>RFC(\d+)", index)]
    for number in numbers:
        (folder / f"rfc{number}.txt").write_bytes(get(f"rfc{number}.txt"))
    db = sqlite3.connect(folder / "search.sqlite")
    db.execute(
        "CREATE VIRTUAL TABLE texts USING fts5(text, content='', tokenize='porter unicode61')"
    )
    for number in numbers:
        text = (folder / f"rfc{number}.txt").read_bytes().decode("utf-8", "replace")
        db.execute("INSERT INTO texts (rowid, text) VALUES (?, ?)", (number, text))
    db.commit()
    db.close()
    print(f"{len(numbers):,} texts can be searched")


if __name__ == "__main__":
    main(*sys.argv[1:])
