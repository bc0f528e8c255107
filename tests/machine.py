"""The programs from outside Python that the tests drive: `python -m tests.machine` installs what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """One program, the names under which systems know it, and Debian's packages of it."""

    title: str
    names: tuple[str, ...]
    package: str

    def path(self) -> str | None:
        """Where it is, if it is on the PATH under any of its names."""
        return next((found for name in self.names if (found := shutil.which(name))), None)


CHROMIUM = Program("Chromium", ("chromium", "chromium-browser", "google-chrome"), "chromium")
PROMETHEUS = Program("Prometheus", ("prometheus",), "prometheus")
ALERTMANAGER = Program("Alertmanager", ("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager")
CURL = Program("curl", ("curl",), "curl")  # the documentation's examples
CC = Program("a C compiler", ("cc", "gcc", "clang"), "gcc libc6-dev")  # what cuts the power
SYSTEMD = Program("systemd-analyze", ("systemd-analyze",), "systemd")  # what judges the unit that we ship
NGINX = Program("nginx", ("nginx",), "nginx")  # what stands before three processes
HAPROXY = Program("HAProxy", ("haproxy",), "haproxy")  # the same
PROGRAMS = (CHROMIUM, PROMETHEUS, ALERTMANAGER, CURL, CC, SYSTEMD, NGINX, HAPROXY)

# Debian starts these as services when it installs them; the tests start their own, on loopback.
SERVICES = (PROMETHEUS.package, ALERTMANAGER.package, NGINX.package, HAPROXY.package)


def missing() -> list[Program]:
    """The programs that are not on the PATH."""
    return [program for program in PROGRAMS if program.path() is None]


def needs(programs: list[Program]) -> str:
    """What a person must do when these programs are missing, in one sentence."""
    titles = ", ".join(program.title for program in programs)
    packages = " ".join(program.package for program in programs)
    return (
        f"the tests drive programs that this machine does not have: {titles}. On Debian and Ubuntu, as root: "
        f"apt-get install --no-install-recommends {packages}; elsewhere put them on the PATH"
    )


def install(programs: list[Program]) -> None:
    """Install them with apt-get; CalledProcessError when it fails. For root only."""
    packages = [name for program in programs for name in program.package.split()]
    apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    subprocess.run([*apt_get, "update"], check=True, timeout=600, stdout=sys.stderr)
    argv = [*apt_get, "install", "-y", "--no-install-recommends", *packages]
    subprocess.run(argv, check=True, timeout=1800, stdout=sys.stderr)
    started = [package for package in packages if package in SERVICES]
    if started and Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "disable", "--now", *started], check=True, timeout=60)


def main() -> int:
    """0 when everything is there or could be installed; 1 with the way out on stderr."""
    absent = missing()
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        try:
            install(absent)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
            print(failure, file=sys.stderr)
        absent = missing()
    if absent:
        print(needs(absent), file=sys.stderr)
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
