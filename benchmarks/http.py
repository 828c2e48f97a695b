"""Documents over HTTP: netlab's server beside caches, and beside Twisted's own server and proxy.

Run: ``python -m benchmarks http [--quick] [--only ROW] [--peers a,b]``; ``--help`` lists the rows.
Measured is the server's CPU time per answered request (see README.md for why), over keep-alive
connections that each ask again when they have the answer. A cache has the document by then.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import BenchmarkError, Cores, Outcome, Sample, serving, twistd
from benchmarks.load import HERE, compile_c, details, loading, timed
from benchmarks.report import Target
from benchmarks.runner import Benchmark, Row, slack

CONNECTIONS = 32
SIZES = {"small": 1500, "medium": 50_000, "large": 500_000}
NUMBERS = {name: number for number, name in enumerate(SIZES, 1)}


@dataclass(frozen=True)
class Bench:
    """What a measurement works with: the load generator, the documents and their origin."""

    load: Path
    directory: Path
    origin_port: int
    cores: Cores
    seconds: float
    warmup: float

    @classmethod
    @contextlib.contextmanager
    def opened(cls, cores: Cores, seconds: float, warmup: float) -> Iterator[Bench]:
        """Compile the load generator, write the documents, and start the origin of the caches."""
        with tempfile.TemporaryDirectory(prefix="netlab-bench-") as name:
            directory = Path(name)
            directory.chmod(0o755)  # squid and nginx may give up root's rights
            compile_c(HERE / "http_load.c", directory / "http_load")
            documents = directory / "documents"
            (documents / "rfc").mkdir(parents=True)
            for kind, size in SIZES.items():
                text = b"RFC\n" + b"network lab " * (size // 12 + 1)
                (documents / path_of(kind)[1:]).write_bytes(text[: size - 1] + b"\n")
            with serving(
                lambda port: python("origin", str(port), str(documents)), cores.load
            ) as origin:
                yield cls(directory / "http_load", directory, origin.port, cores, seconds, warmup)

    @property
    def documents(self) -> str:
        """The directory with the documents: ``/rfc/rfc1.txt`` and so on lie in its ``rfc``."""
        return str(self.directory / "documents")

    def write(self, name: str, text: str) -> str:
        """Write a configuration file; return where it is."""
        file = self.directory / name
        file.write_text(text)
        return str(file)


def path_of(kind: str) -> str:
    """Return the path of a document."""
    return f"/rfc/rfc{NUMBERS[kind]}.txt"


# ---- the servers: a line in SERVERS, a function in COMMANDS ------------------------------------


def python(module: str, *arguments: str) -> list[str]:
    """Return the command line of a peer in Python."""
    return [sys.executable, "-m", f"benchmarks.peers.{module}", *arguments]


def program(name: str) -> str:
    """Return where a program is; :exc:`BenchmarkError` when it is not installed."""
    found = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/sbin:/bin")
    if found is None:
        raise BenchmarkError(f"{name} is not installed")
    return found


def netlab_rfc(bench: Bench, port: int) -> list[str]:
    """The RFC service as it comes: pages, search and the rest of it are on."""
    upstream = f"http://127.0.0.1:{bench.origin_port}/rfc/"
    return netlab(bench, port, "rfc", "--upstream", upstream)


def netlab_cache(bench: Bench, port: int) -> list[str]:
    return netlab(bench, port, "cache", "--origin", f"http://127.0.0.1:{bench.origin_port}")


def netlab(bench: Bench, port: int, service: str, *options: str) -> list[str]:
    """A service with its default limits, and a cache on the disk."""
    cache = tempfile.mkdtemp(prefix="netlab-", dir=bench.directory)
    listen = f"tcp:{port}:interface=127.0.0.1"
    return twistd("netlab", service, "--listen", listen, "--cache", cache, *options)


def netlab_server(bench: Bench, port: int) -> list[str]:
    return python("netlab_http", str(port), bench.documents)


def nginx(bench: Bench, port: int) -> list[str]:
    """One worker with a proxy_cache; no access log, and connections that last."""
    directory = tempfile.mkdtemp(prefix="nginx-", dir=bench.directory)
    text = f"""
        daemon off; master_process off; worker_processes 1; error_log stderr;
        pid {directory}/pid;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
            client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
            scgi_temp_path {directory}/scgi;
            proxy_cache_path {directory}/cache keys_zone=documents:10m;
            server {{
                listen 127.0.0.1:{port} backlog=1024;
                location / {{
                    proxy_pass http://127.0.0.1:{bench.origin_port};
                    proxy_cache documents;
                    add_header X-Cache-Status $upstream_cache_status;
                }}
            }}
        }}
    """
    return [program("nginx"), "-e", "stderr", "-p", directory, "-c", bench.write("nginx", text)]


def varnish(bench: Bench, port: int) -> list[str]:
    """As its own defaults are, in memory; no shared rights to give up."""
    directory = tempfile.mkdtemp(prefix="varnish-", dir=bench.directory)
    options = ("-F", "-j", "none", "-n", directory, "-s", "malloc,64m")
    addresses = ("-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{bench.origin_port}")
    return [program("varnishd"), *options, *addresses]


def squid(bench: Bench, port: int) -> list[str]:
    """As an accelerator, one process, in memory; no access log."""
    text = f"""
http_port 127.0.0.1:{port} accel defaultsite=127.0.0.1 no-vhost
cache_peer 127.0.0.1 parent {bench.origin_port} 0 no-query originserver
http_access allow all
cache_mem 64 MB
maximum_object_size_in_memory 2 MB
access_log none
cache_log stdio:/dev/stderr
pid_filename none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname benchmark
coredump_dir {bench.directory}
"""
    return [program("squid"), "-N", "-f", bench.write("squid", text)]


def twisted_web(bench: Bench, port: int) -> list[str]:
    return python("twisted_web", "static", str(port), bench.documents)


def twisted_proxy(bench: Bench, port: int) -> list[str]:
    return python("twisted_web", "proxy", str(port), str(bench.origin_port))


SERVERS = {
    "netlab": "twistd netlab rfc: a cache, its policy and all the rest",
    "cache": "twistd netlab cache",
    "server": "netlab's HTTP server alone, with prepared responses",
    "nginx": "proxy_cache, one worker, no access log",
    "varnish": "as it comes, in memory",
    "squid": "as an accelerator in memory, no access log",
    "web": "twisted.web.static",
    "webproxy": "twisted.web.proxy, which has no cache",
}
COMMANDS: Mapping[str, Callable[[Bench, int], Sequence[str]]] = {
    "netlab": netlab_rfc,
    "cache": netlab_cache,
    "server": netlab_server,
    "nginx": nginx,
    "varnish": varnish,
    "squid": squid,
    "web": twisted_web,
    "webproxy": twisted_proxy,
}


# ---- what is measured --------------------------------------------------------------------------


@dataclass(frozen=True)
class Hits:
    """Microseconds of the server's CPU per answer with a document of this kind."""

    kind: str

    def __call__(self, bench: Bench, name: str) -> Sample:
        with (
            serving(lambda port: COMMANDS[name](bench, port), bench.cores.server) as server,
            loading(
                [str(bench.load), path_of(self.kind)],
                server,
                bench.cores.load,
                bench.seconds + bench.warmup + 15,
                s=SIZES[self.kind],
                c=CONNECTIONS,
                w=bench.warmup,
                d=bench.seconds,
            ) as generator,
        ):
            generator.expect("begin")
            cpu, report = timed(server, generator)
        detail = details(cpu, report, "p50_us", "p99_us")
        return Sample(cpu / float(report["messages"]) * 1e6, detail)

    def notes(self, _bench: Bench, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Say what limits the comparison."""
        return slack(outcomes)


def row(kind: str, title: str, target: float) -> Row[Bench]:
    """Return the row of one size."""
    return Row(
        f"{title} x {CONNECTIONS} connections",
        "us of server CPU per request",
        Hits(kind),
        tuple(SERVERS),
        (Target(target, "nginx"),),
    )


ROWS = {
    "small": row("small", "1.5 kB", 1.0),
    "medium": row("medium", "50 kB", 1.0),
    "large": row("large", "500 kB", 1.5),
}

BENCHMARK = Benchmark(
    "http",
    "CPU per request of netlab's HTTP server, beside caches and Twisted's own server.",
    SERVERS,
    ROWS,
    Bench.opened,
)


def main(arguments: Sequence[str]) -> int:
    """Run the rows asked for; 1 when a target was missed."""
    return BENCHMARK.main(arguments)
