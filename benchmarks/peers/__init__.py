"""The servers netlab is compared with: each a small program of its own.

The Python ones run as ``python -m benchmarks.peers.NAME PORT [KEY CERTIFICATE]`` and listen on
127.0.0.1; with a key and a certificate (PEM files) they speak TLS. Those for datagrams do not.
"""
