"""`python -m tests.image`: the Dockerfile built and run for real; the image's size, and how long a start takes.

By docker, podman or buildah, whichever answers. buildah needs no engine and no privileges of one: `chroot` isolation,
on a base that lies in its store where no registry is reached (`--base localhost/python-base`). Other options go to the
build as they are: `--volume /etc/ssl/certs:/etc/ssl/certs:ro` where a proxy has a certificate of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence

from tests.servers import ROOT, free_port

NAME = "barograph-measured"
START_SECONDS, STOP_SECONDS = 60.0, 15.0
MIB = 1024 * 1024


def engine() -> str | None:
    """The first program here that can build an image."""
    for name in ("docker", "podman", "buildah"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
            return name
    return None


def build(tool: str, base: str | None, more: Sequence[str]) -> float:
    """Build it, with more options of the tool's own; how many seconds that took."""
    how = ["buildah", "bud", "--isolation", "chroot"] if tool == "buildah" else [tool, "build"]
    how += ["--build-arg", f"BASE={base}"] if base else []
    began = time.monotonic()
    subprocess.run([*how, *more, "-t", NAME, "."], cwd=ROOT, check=True)
    return time.monotonic() - began


def size(tool: str) -> int:
    """Bytes of the image, its base included."""
    if tool == "buildah":
        said = subprocess.run(["buildah", "images", "--json", NAME], capture_output=True, text=True, check=True).stdout
        return _bytes_of(json.loads(said)[0]["size"])
    return int(_said([tool, "image", "inspect", "--format", "{{.Size}}", NAME]))


def _bytes_of(text: str) -> int:
    number, unit = text.split()
    return int(float(number) * {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


def _said(words: Sequence[str]) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def run(tool: str) -> tuple[float, float, int]:
    """Seconds until it is ready, seconds until it has ended after SIGTERM, and its exit code."""
    port = free_port()
    if tool == "buildah":
        container = _said(["buildah", "from", NAME])
        serve = ["barograph", "serve", "--host", "127.0.0.1", "--port", str(port)]
        words = ["buildah", "run", "--isolation", "chroot", "--user", "10001:10001", container, "--", *serve]
    else:
        words = [tool, "run", "--rm", "--init", "-p", f"127.0.0.1:{port}:8080", NAME]
    try:
        return _run(words, port)
    finally:
        if tool == "buildah":
            subprocess.run(["buildah", "rm", container], capture_output=True, check=False)


def _run(words: Sequence[str], port: int) -> tuple[float, float, int]:
    with tempfile.TemporaryFile() as log:
        began = time.monotonic()
        child = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not _is_ready(port):
                if child.poll() is not None or time.monotonic() - began > START_SECONDS:
                    log.seek(0)
                    raise SystemExit(f"it did not become ready:\n{log.read().decode(errors='replace')[-3000:]}")
                time.sleep(0.02)
            ready = time.monotonic() - began
            began = time.monotonic()
            child.send_signal(signal.SIGTERM)
            code = child.wait(STOP_SECONDS)
            return ready, time.monotonic() - began, code
        finally:
            child.kill()
            child.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> int:
    """Print what was measured as a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.image", description=__doc__)
    parser.add_argument("--base", help="the image to build on, in place of the Dockerfile's")
    parser.add_argument("--no-build", action="store_true", help=f"measure the {NAME} that is there")
    asked, more = parser.parse_known_args()
    tool = engine()
    if tool is None:
        print("neither docker nor podman nor buildah answers here", file=sys.stderr)
        return 1
    told: dict[str, object] = {"by": tool}
    if not asked.no_build:
        told["built_seconds"] = round(build(tool, asked.base, more), 1)
    told["mib"] = round(size(tool) / MIB)
    ready, ended, code = run(tool)
    told |= {"ready_seconds": round(ready, 2), "ended_seconds": round(ended, 2)}
    if tool != "buildah":  # that tells its own
        told["exit_code"] = code
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
