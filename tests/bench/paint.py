"""How soon a person sees something useful in a real Chromium, beside a bare page of Plotly; and what pages weigh."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from playwright.sync_api import Browser

import dashboards
from incidents.store import Store
from service import clock
from tests import machine, window
from tests.bench import figures, filling
from tests.bench.measured import Plan, Row, cpu_seconds
from tests.bench.payloads import CONFIG
from tests.listening import listening
from tests.servers import ADMIN_TOKEN, Barograph
from tests.test_weight import PHONE_KB, SCRIPTS_KB, weighed

MOST_RATIO = 1.0
ALERTS = 100_000
"""What the target is about; a shorter run is not held against it."""
EACH = 5
PLOTLY = next((Path(dashboards.__file__).parent / "static" / "vendor").glob("plotly-basic-*.min.js"))
BARE = f"""<!doctype html><meta charset="utf-8"><title>bare</title><div id="figure"></div>
<script src="plotly.js"></script><script>
const x = [], y = [];
for (let n = 0; n < {figures.MARKS}; n++) {{ x.push(new Date(1.7e12 + n * 4000)); y.push(n * 7919 % 40); }}
Plotly.newPlot("figure", [{{ type: "scatter", mode: "markers", x, y }}], {{ width: 1392, height: 760 }})
  .then(() => requestAnimationFrame(() => {{ window.drawn = performance.now(); }}));
</script>"""
FIRST = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
DRAWN = """() => new Promise((done) => {
  const drawn = () => document.querySelector(".figure .main-svg");
  const look = () => drawn() ? done(performance.now()) : requestAnimationFrame(look);
  look();
})"""


def measure(plan: Plan) -> list[Row]:
    """Rows of paints and of weights; none where there is no Chromium."""
    path = machine.CHROMIUM.path()
    if not path:
        return []
    home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    alerts = max(plan.burst, 2 * figures.MARKS)
    running = Barograph(home, CONFIG)
    running.start()
    try:
        with closing(Store(f"sqlite:///{home / 'barograph.db'}")) as store:
            incident = filling.fill(store, alerts, clock.now().replace(microsecond=0) - filling.SPAN)
        with window.chromium(path) as browser, _bare() as bare:
            return [
                *_paints(plan, browser, running, bare, incident, alerts),
                *_weights(browser, running, f"/incidents/{incident}", alerts),
            ]
    finally:
        running.kill9()
        shutil.rmtree(home, ignore_errors=True)


def _paints(plan: Plan, browser: Browser, running: Barograph, bare: str, incident: str, alerts: int) -> list[Row]:
    seen: dict[str, list[float]] = {"bare": [], "/": [], "incident": [], "figure": []}
    spent = cpu_seconds(running.pid)
    times = max(EACH, plan.rounds * EACH // 2)
    for _ in range(times):
        seen["bare"].append(_drawn_bare(browser, bare))
        seen["/"].append(_seen(browser, f"{running.url}/")[0])
        first, drawn = _seen(browser, f"{running.url}/incidents/{incident}", draws=True)
        seen["incident"].append(first)
        seen["figure"].append(drawn)
    cost = (cpu_seconds(running.pid) - spent) * 1000 / times
    beside = statistics.median(seen["bare"])
    part = "18. First useful paint, Chromium, nothing cached"
    named = {
        "/": "/, what is open is there to read",
        "incident": f"an incident of {alerts:,} alerts, its facts are there to read",
        "figure": "the same, its figure is drawn",
    }
    return [
        Row(part, what, statistics.median(seen[name]), "ms", beside, f"bare Plotly page, {figures.MARKS:,} marks drawn",
            most_ratio=MOST_RATIO if alerts >= ALERTS and name != "figure" else None,
            cpu=f"{cost:.0f} ms of the server for one of each", rounds={"ms": seen[name], "bare ms": seen["bare"]})
        for name, what in named.items()
    ]  # fmt: skip


def _seen(browser: Browser, url: str, *, draws: bool = False) -> tuple[float, float]:
    """Milliseconds from the navigation to the first content, and to the figure where there is one."""
    with window.window(browser, viewport={"width": 1440, "height": 1000}) as one:
        one.context.set_default_timeout(120_000)
        page = one.open(url, token=ADMIN_TOKEN)
        drawn = float(page.evaluate(DRAWN)) if draws else 0.0
        # As a function: the pages' policy lets no text be evaluated.
        page.wait_for_function(f"() => ({FIRST}) !== null")
        return float(page.evaluate(FIRST)), drawn


def _drawn_bare(browser: Browser, url: str) -> float:
    with window.window(browser, viewport={"width": 1440, "height": 1000}) as one:
        page = one.open(url)
        page.wait_for_function("() => window.drawn")
        return float(page.evaluate("window.drawn"))


def _weights(browser: Browser, running: Barograph, path: str, alerts: int) -> list[Row]:
    part = "19. What comes over the wire, compressed"
    wide, phone = weighed(browser, running, path, 1440), weighed(browser, running, path, 390)
    scripts = sum(size for name, size in wide.items() if name.endswith(".js") and "/vendor/" not in name)
    return [
        Row(part, "scripts before charts", scripts / 1000, "kB", most_value=SCRIPTS_KB),
        Row(part, f"a phone's page of {alerts:,} alerts", sum(phone.values()) / 1000, "kB", most_value=PHONE_KB),
    ]


@contextmanager
def _bare() -> Iterator[str]:
    """The bare page and its library, served over loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_library = self.path == "/plotly.js"
            body = PLOTLY.read_bytes() if is_library else BARE.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if is_library else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}/"
