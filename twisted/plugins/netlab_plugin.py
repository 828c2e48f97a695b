"""Makes ``netlab`` a subcommand of ``twistd`` and ``twist``."""

from twisted.application.service import ServiceMaker

netlab = ServiceMaker("netlab", "netlab.tap", "message, datagram and HTTP servers", "netlab")
