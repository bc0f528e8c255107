"""Equal processes on one PostgreSQL, behind the nginx and the HAProxy whose configurations `deploy/` ships."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import machine
from tests.servers import ROOT, Barograph, Server, free_port

DEPLOY = ROOT / "deploy"
SECRET_KEY = "replicas-secret-key-0123456789abcdef0123456789"
TOLD = frozenset({502, 503, 504})
"""What a balancer, or a process that drains, tells who posted: it was not taken, post it again."""
_PLACES = re.compile(r"10\.0\.0\.1([123]):8080")
_AROUND_NGINX = """
daemon off;
worker_processes 1;
{user}
pid {home}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/barograph.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Replicas:
    """What runs. The processes share the secret key, as they must for forms and sealed secrets."""

    services: list[Barograph]
    haproxy: Server
    nginx: Server
    url: str

    @property
    def balancers(self) -> list[Server]:
        """Both, each of which leads to all of the processes."""
        return [self.haproxy, self.nginx]


@contextmanager
def replicas(
    folder: Path, url: str, config: str, *, count: int = 3, settings: Mapping[str, str] | None = None
) -> Iterator[Replicas]:
    """So many processes, begun at once on one database, and what stands before them."""
    services: list[Barograph] = []
    with ExitStack() as running:
        for n in range(count):
            home = folder / f"replica-{n}"
            home.mkdir(parents=True)
            own = {"SECRET_KEY": SECRET_KEY, **(settings or {})}
            services.append(Barograph(home, config, database_url=url, settings=own))
        pool = running.enter_context(ThreadPoolExecutor(count))
        running.callback(lambda: list(pool.map(Barograph.end, services)))
        list(pool.map(lambda service: service.start(60), services))
        ports = [service.port for service in services]
        found = [before(folder, ports) for before in (haproxy, nginx)]
        for balancer in found:
            running.callback(balancer.end)
            balancer.start()
        yield Replicas(services, *found, url)


def haproxy(folder: Path, ports: Sequence[int]) -> Server:
    """HAProxy as `deploy/` ships it, with these ports in place of its addresses."""
    port, home = free_port(), folder / "haproxy"
    home.mkdir(parents=True)
    (home / "haproxy.cfg").write_text(_placed("haproxy/haproxy.cfg", ports).replace(":80\n", f"127.0.0.1:{port}\n"))
    return Server(
        [_path(machine.HAPROXY), "-db", "-f", str(home / "haproxy.cfg")],
        port=port,
        ready="/livez",
        home=home,
        env={},
    )


def nginx(folder: Path, ports: Sequence[int]) -> Server:
    """The same of nginx, within a file of its own that names no place of the system."""
    port, home = free_port(), folder / "nginx"
    home.mkdir(parents=True)
    text = _placed("nginx/barograph.conf", ports).replace("listen 80;", f"listen 127.0.0.1:{port};")
    (home / "barograph.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""  # another could not enter the folder of the tests
    (home / "nginx.conf").write_text(_AROUND_NGINX.format(home=home, user=user))
    argv = [_path(machine.NGINX), "-p", str(home), "-c", str(home / "nginx.conf"), "-e", "stderr"]
    return Server(argv, port=port, ready="/livez", home=home, env={})


def _placed(name: str, ports: Sequence[int]) -> str:
    """A configuration with a port of ours for each address; lines of addresses that have none are left out."""
    lines = (DEPLOY / name).read_text().splitlines(keepends=True)
    kept = [line for line in lines if not (place := _PLACES.search(line)) or int(place[1]) <= len(ports)]
    return _PLACES.sub(lambda found: f"127.0.0.1:{ports[int(found[1]) - 1]}", "".join(kept))


def _path(program: machine.Program) -> str:
    # Debian keeps both in a folder that is on the PATH of root alone.
    found = program.path() or shutil.which(program.names[0], path="/usr/sbin:/usr/local/sbin")
    assert found, machine.needs([program])
    return found


@contextmanager
def paused(service: Server) -> Iterator[None]:
    """The process stands still for the length of the block."""
    os.kill(service.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(service.pid, signal.SIGCONT)
