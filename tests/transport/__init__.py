"""Sockets, TLS, timers and limits, on loopback and in memory."""
