"""What a page weighs when a real Chromium opens it first: a phone's page whole, and the scripts before charts."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.senders import KEY, ago, alert, message, served, text
from tests.servers import ADMIN_TOKEN, Barograph
from tests.window import window

PHONE_KB = 150
SCRIPTS_KB = 150
LINES = 200


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    with served(tmp_path_factory.mktemp("weight")) as running:
        yield running


@pytest.fixture(scope="module")
def incident(service: Barograph) -> str:
    """An incident whose page is full: more lines than one page holds, half of them entries with forms of their own."""
    alerts = [alert(f"check-{n}", ago(minutes=200 - n), datacenter="elsewhere") for n in range(LINES // 2)]
    service.read(service.send("am", {**message(*alerts), "groupKey": "weight"}, KEY))
    name = str(service.json("/api/v1/incidents?q=weight")["items"][0]["id"])
    notes = [
        {"text": f"Note {n}: {['pump', 'fan', 'rack', 'feed', 'valve'][n % 5]} looked at, {n * 7919 % 1000} found",
         "happened_at": text(ago(minutes=200 - n))}
        for n in range(LINES)
    ]  # fmt: skip
    assert service.post(f"/api/v1/incidents/{name}/entries", notes).status == 201
    return name


def weighed(chromium: Browser, service: Barograph, path: str, width: int) -> dict[str, int]:
    """What came over the wire, in bytes with headers, by path; the stream is left out."""
    with window(chromium, viewport={"width": width, "height": 844}) as opened:
        devtools = opened.context.new_cdp_session(opened.page)
        devtools.send("Network.enable")
        paths: dict[str, str] = {}
        found: dict[str, int] = {}
        devtools.on(
            "Network.responseReceived", lambda e: paths.update({e["requestId"]: urlsplit(e["response"]["url"]).path})
        )
        devtools.on(
            "Network.loadingFinished",
            lambda e: found.update({paths.get(e["requestId"], "?"): int(e["encodedDataLength"])}),
        )
        page = opened.open(service.url + path, token=ADMIN_TOKEN)
        if width > 640 and page.query_selector("[data-figure]"):
            page.wait_for_selector("svg.main-svg")
        page.wait_for_load_state("load")
        page.wait_for_timeout(300)
        assert opened.problems == []
    return found


def test_the_phone_has_the_whole_page_without_the_chart_library(
    chromium: Browser, service: Barograph, incident: str
) -> None:
    found = weighed(chromium, service, f"/incidents/{incident}", 390)
    assert not [path for path in found if "plotly" in path or path.endswith("/figure")]
    assert f"/incidents/{incident}" in found
    assert sum(found.values()) <= PHONE_KB * 1000, sorted(found.items(), key=lambda one: -one[1])


@pytest.mark.parametrize("path", ["/", "/incidents", "INCIDENT"])
def test_scripts_before_charts_are_small(chromium: Browser, service: Barograph, incident: str, path: str) -> None:
    found = weighed(chromium, service, path.replace("INCIDENT", f"/incidents/{incident}"), 1440)
    scripts = {name: size for name, size in found.items() if name.endswith(".js") and "/vendor/" not in name}
    assert scripts
    assert sum(scripts.values()) <= SCRIPTS_KB * 1000, scripts


def test_pages_and_styles_are_compressed_for_those_who_take_it(service: Barograph, incident: str) -> None:
    for path in (f"/incidents/{incident}", "/static/app.js", "/static/barograph.css", "/static/mark.svg"):
        packed = service.get(path, headers={"Accept-Encoding": "gzip"})
        plain = service.get(path)
        assert packed.headers["Content-Encoding"] == "gzip", path
        assert "Content-Encoding" not in plain.headers
        whole = gzip.decompress(packed.body)
        if path.startswith("/static/"):
            assert whole == plain.body
        else:  # an open incident's page is drawn up to now: two of them differ
            assert whole.startswith(b"<!doctype html>")
            assert whole.endswith(plain.body[-100:])
        assert len(packed.body) < len(plain.body)
    assert service.get("/static/app.js").headers["Content-Type"].startswith("text/javascript")


def test_what_never_changes_is_masked_in_what_is_compressed(service: Barograph) -> None:
    one, other = (service.get("/incidents").text.partition('name="csrf" value="')[2][:128] for _ in range(2))
    assert one != other
