"""The classic first program with urllib: download an RFC, and print it.

    python rfc_downloader.py 2324

It asks the IETF's server. When the variable ``http_proxy`` names an HTTP proxy, urllib
asks that one instead, and the program stays as it is:

    twistd -n netlab rfc
    http_proxy=http://localhost:8080 python rfc_downloader.py 2324
"""

from __future__ import annotations

import http.client
import sys
import urllib.request

TEMPLATE = "http://www.ietf.org/rfc/rfc{}.txt"


def main(number: str) -> None:
    """Prints the RFC ``number``."""
    url = TEMPLATE.format(int(number))
    with urllib.request.urlopen(url, timeout=60) as response:
        rfc = response.read().decode()
    print(rfc)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python rfc_downloader.py NUMBER")
    try:
        main(sys.argv[1])
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.exit(f"rfc_downloader: {error}")
