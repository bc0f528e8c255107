"""The set-up pages: every format is listed and found, every snippet filled in, every sample read and hidden."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboards import pages, senders
from incidents import spoken
from incidents.adapters import adapters, listing
from incidents.model import Delivery, Event
from incidents.samples import sample_of
from incidents.views.source_view import FeedHealth, SenderState, Trial
from tests import london_pages
from tests import london_views as london
from tests.samples import RECEIVED
from tests.senders import CONFIG, HOOK_KEY, KEY, ago, alert, message, served
from tests.servers import ADMIN_TOKEN, Answer, Barograph

WEBHOOKS = sorted(name for name, adapter in adapters().items() if adapter.kind == "webhook")


# --- made from the adapters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WEBHOOKS)
def test_the_snippets_of_every_sender_carry_its_address_and_its_key(name: str) -> None:
    adapter, address = adapters()[name], "https://barograph.example/in/mine"
    assert adapter.setup, name
    shown = unescape(
        re.sub(
            r"<[^>]+>",
            "",
            senders.source_page(
                london_pages.source("mine", None, adapter=name),
                adapter.setup,
                SenderState(),
                london.viewer(),
                "https://barograph.example",
                title=adapter.title,
                key="bk_only_once",
                has_sample=True,
            ),
        )
    )
    assert address in shown
    assert "{url}" not in shown
    assert "{key}" not in shown
    for part in adapter.setup["snippets"]:
        for line in part["text"].replace("{url}", address).replace("{key}", "bk_only_once").split("\n"):
            assert line.strip() in shown
    for what, does in adapter.setup["facts"]:
        assert what in shown
        assert does.replace("`", "") in shown


@pytest.mark.parametrize("name", WEBHOOKS)
def test_the_sample_of_every_sender_is_read_and_is_a_test(name: str) -> None:
    sample = sample_of(name)
    assert sample, f"incidents/adapters/samples/{name}.json is missing"
    assert len(sample.body) < 1500, "a sample is short"
    headers = {**sample.headers, "content-type": sample.content_type}
    delivery = Delivery("mine", sample.body, RECEIVED, headers)
    challenge = adapters()[name].challenge
    assert not (challenge and challenge(delivery))
    said = [one for one in adapters()[name].normalise(delivery) if isinstance(one, Event)]
    assert said
    assert all(one.title and not one.test for one in said)
    marked = Delivery("mine", sample.body, RECEIVED, {**headers, spoken.TEST_HEADER: "1"})
    recorded = spoken.recordable(adapters()[name].normalise(marked), marked)
    assert recorded
    assert all(isinstance(one, Event) and one.test for one in recorded)


def test_no_sample_is_left_behind() -> None:
    folder = Path(str(london.__file__)).parents[1] / "incidents" / "adapters" / "samples"
    assert {path.stem for path in folder.iterdir()} <= set(adapters())
    assert sample_of("nobody") is None


def test_the_ways_to_connect_are_tabs_and_the_steps_stand_below_each_other() -> None:
    def page(name: str) -> str:
        adapter = adapters()[name]
        health = london_pages.source("mine", None, adapter=name)
        return senders.source_page(
            health, adapter.setup, SenderState(), london.viewer(), "http://x", title=adapter.title
        )

    ways = page("alertmanager")
    assert re.findall(r'<label for="way-\d">([^<]*)', ways) == [
        "alertmanager.yml", "Helm values", "Prometheus Operator", "curl",
    ]  # fmt: skip
    assert re.findall(r'id="way-(\d)" checked', ways) == ["1"]
    assert "way-1" not in page("icinga")


def test_what_needs_a_look_is_said_and_the_rest_is_in_order() -> None:
    now = london_pages.NOW
    well = london_pages.source("well")
    assert senders.troubles(well, now) == []
    assert senders.troubles(replace(well, last_received_at=None), now) == ["has sent nothing yet"]
    assert senders.troubles(replace(well, quarantined=2), now) == ["sent what cannot be read"]
    assert senders.troubles(replace(well, wrong_signature_at=now - timedelta(hours=2)), now) == ["signs wrongly"]
    assert senders.troubles(replace(well, wrong_signature_at=now - timedelta(days=2)), now) == []
    page = pages.sources_page(
        [well, replace(well, name="odd", quarantined=1)], [], [], london.viewer(), public_url="http://x", now=now
    )
    assert page.index("Worth a look") < page.index('href="/sources/odd"') < page.index("In order")
    assert page.index("In order") < page.index('href="/sources/well"')


@pytest.mark.parametrize(
    ("days", "fields", "secrets", "says"),
    [
        (1, {}, 0, '<span class="chip s-ok">receiving<'),
        (1, {"keys": ()}, 1, '<span class="chip s-ok">receiving<'),
        (1, {"keys": ()}, 0, '<span class="chip">last heard '),
        (8, {}, 0, '<span class="chip">last heard '),
        (1, {"kind": "feed", "keys": ()}, 0, '<span class="chip s-ok">receiving<'),
        (1, {"kind": "feed", "feed": FeedHealth(1, stale_since=london_pages.NOW)}, 0, '<span class="chip">stale<'),
    ],
)
def test_only_what_is_heard_these_days_is_received(
    days: int, fields: dict[str, object], secrets: int, says: str
) -> None:
    health = london_pages.source("mine", days * 1440, **fields)
    page = senders.source_page(
        health, None, SenderState(), london.viewer(), "http://x", now=london_pages.NOW, secrets=secrets
    )
    assert says in page


def test_a_format_whose_title_names_all_that_it_reads_says_no_more() -> None:
    page = senders.new_source_page(listing(), london.viewer(), now=london_pages.NOW)
    assert "<strong>InfluxDB and Kapacitor</strong></a>" in page
    assert not re.search(r"reads\s*(;|<)", page)


def test_a_feed_has_fields_of_its_own_and_no_key() -> None:
    feed = {"name": "sky", "title": "Sky", "kind": "feed", "version": 1, "reads": ["sky"], "verifies": "nothing"}
    rows = [*listing(), feed]
    page = senders.new_source_page(rows, london.viewer(), now=london_pages.NOW, chosen="sky")
    assert {'name="url"', 'name="every"', 'name="secret"'} <= set(re.findall(r'name="\w+"', page))
    assert "Make the source" in page
    both = senders.new_source_page(rows, london.viewer(), now=london_pages.NOW)
    assert both.index("Senders <span") < both.index("Feeds <span") < both.index("<strong>Sky</strong>")
    assert "Feeds <span" not in senders.new_source_page(rows, london.viewer(), now=london_pages.NOW, q="grafana")


@pytest.mark.parametrize(
    ("trial", "says"),
    [
        (Trial(503, 12), "503 after 12 ms"),
        (Trial(0, 10_000), "no answer within 10,000 ms"),
        (Trial(202, 4, "r1", RECEIVED, 31, "quarantined", "not JSON", "grafana@1", 9), "quarantined"),
    ],
)
def test_a_test_that_failed_says_where(trial: Trial, says: str) -> None:
    page = senders.source_page(
        london_pages.source("mine", None),
        None,
        SenderState(),
        london.viewer(),
        "http://x",
        trial=trial,
        has_sample=True,
    )
    assert says in page
    assert 'class="failed"' in page


# --- served ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """One service for the tests below; each has sources of its own."""
    with served(tmp_path_factory.mktemp("setup"), CONFIG, pace={"HOUSE_SECONDS": 2}) as running:
        yield running


def form(service: Barograph, page: str, action: str, **fields: str) -> Answer:
    """Fill in a form that stands on a page, as a browser without scripts does."""
    csrf = re.search(r'name="csrf" value="([^"]*)"', service.get(page).text)
    assert csrf
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {ADMIN_TOKEN}"}
    return service.request("POST", action, urlencode({"csrf": csrf[1], **fields}), headers=headers)


def followed(service: Barograph, made: Answer) -> Answer:
    """The page that an answer leads to, asked for with the cookie that came with it."""
    assert made.status == 303, made.text[:500]
    cookie = made.headers.get("Set-Cookie", "").partition(";")[0]
    return service.get(made.headers["Location"], headers={"Cookie": cookie})


def key_on(page: str) -> str | None:
    """The key that a page shows in full."""
    found = re.search(r'<pre id="the-key"[^>]*><code>\s*(bk_[\w-]+)', page)
    return found[1] if found else None


def connect(service: Barograph, adapter: str, name: str, **fields: str) -> str:
    """Make a source on the pages: its key."""
    page = f"/sources/new?adapter={adapter}"
    key = key_on(followed(service, form(service, page, "/sources", adapter=adapter, name=name, **fields)).text)
    assert key
    return key


def test_every_format_is_found_without_a_script(service: Barograph) -> None:
    page = service.get("/sources/new").text
    for adapter in adapters().values():
        assert f'href="/sources/new?adapter={adapter.name}"' in page
    found = service.get("/sources/new?q=NAGIOS").text
    assert re.findall(r'data-words="[^"]*"><a href="/sources/new\?adapter=(\w+)', found) == ["icinga"]
    assert "No format has these words" in service.get("/sources/new?q=zzz").text


def test_a_new_key_is_shown_once_at_the_sources_own_address(service: Barograph) -> None:
    made = form(service, "/sources/new?adapter=generic", "/sources", adapter="generic", name="once")
    assert (made.status, made.headers["Location"]) == (303, "/sources/once")
    cookie = made.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/sources/once", "Max-Age=120"} <= set(cookie.split("; "))
    shown = followed(service, made)
    key = key_on(shown.text)
    assert key
    assert key not in cookie + str(made.headers), "it is sealed on its way"
    assert shown.headers["Cache-Control"] == "no-store"
    assert "Max-Age=0" in shown.headers["Set-Cookie"], "the browser forgets it"
    assert service.post("/in/once", {"key": "a", "status": "firing"}, token=key).status == 202
    assert key_on(service.get("/sources/once").text) is None
    assert key not in service.get("/sources/once").text
    again = form(service, "/sources/once", "/sources/once/key")
    assert again.headers["Location"] == "/sources/once"
    assert key_on(followed(service, again).text) not in {None, key}


def test_a_key_on_its_way_is_shown_on_no_other_page_and_to_no_other_role(service: Barograph) -> None:
    connect(service, "generic", "neighbour")
    made = form(service, "/sources/new?adapter=generic", "/sources", adapter="generic", name="passing")
    headers = {"Cookie": made.headers["Set-Cookie"].partition(";")[0]}
    assert key_on(service.get("/sources/neighbour", headers=headers).text) is None
    viewer = service.cli("token", "create", "--role", "viewer").stdout.split()[-1]
    assert key_on(service.get("/sources/passing", token=viewer, headers=headers).text) is None
    for forged in ("x", "barograph_new_key=passing bk_x", headers["Cookie"][:-4]):
        page = service.get("/sources/passing", headers={"Cookie": f"barograph_new_key={forged}"})
        assert page.status == 200
        assert key_on(page.text) is None


def test_a_feed_made_on_the_pages_leads_to_its_page_and_is_named_in_its_snippet(service: Barograph) -> None:
    made = form(
        service, "/sources/new?adapter=wmo_swic", "/sources", adapter="wmo_swic", name="far-weather", every="9h"
    )
    assert (made.status, made.headers["Location"], "Set-Cookie" in made.headers) == (303, "/sources/far-weather", False)
    page = unescape(service.get("/sources/far-weather").text)
    assert '[[sources]]\nname = "far-weather"\nadapter = "wmo_swic"' in page


def test_after_a_test_the_page_says_that_only_the_sender_is_awaited(service: Barograph) -> None:
    connect(service, "generic", "tested")
    before = service.get("/sources/tested").text
    assert "No request has reached" in before
    location = form(service, "/sources/tested", "/sources/tested/test").headers["Location"]
    after = service.get(location.partition("#")[0]).text
    assert "No request has reached" not in after
    assert "A test of ours came in at <code>/in/tested</code>" in after


@pytest.mark.slow
def test_the_test_button_of_every_sender_goes_the_whole_way(service: Barograph) -> None:
    before = service.json("/api/v1/incidents")["items"]
    for name in WEBHOOKS:
        slug = f"try-{name.replace('_', '-')}"
        connect(service, name, slug)
        answer = form(service, f"/sources/{slug}", f"/sources/{slug}/test")
        assert answer.status == 303
        page = service.get(answer.headers["Location"].partition("#")[0]).text
        done = len(re.findall(r'<li class="done"><strong>', page))
        assert done == 4, f"{name}: {page.partition('The way of the test')[2][:900]}"
        assert "waiting for the first event" in page, "a test of our own is no event"
    assert service.json("/api/v1/incidents")["items"] == before
    shown = service.json("/api/v1/occurrences?limit=500")["items"]
    assert not [one for one in shown if one["source"].startswith("try-")]
    keys = service.cli("key", "list", "--json").stdout
    assert "setup test" not in keys, "the key of a test outlives it"


def test_a_test_is_kept_in_the_log_and_no_line_of_it_is_removed(service: Barograph) -> None:
    connect(service, "generic", "kept")
    location = form(service, "/sources/kept", "/sources/kept/test").headers["Location"]
    receipt = re.search(r"tested=(\w+)", location)
    assert receipt
    delivery = service.json(f"/api/v1/deliveries/{receipt[1]}")
    assert (delivery["state"], [one["test"] for one in delivery["events"]]) == ("read", [True])
    assert service.get(f"/api/v1/deliveries/{receipt[1]}/raw").status == 200
    other = service.get(f"/sources/am?tested={receipt[1]}&answered=202&took=1").text
    assert 'class="path"' not in other, "it is another source's"
    nobodys = service.get("/sources/am?answered=202&took=3").text
    assert 'class="path"' not in nobodys, "no test was taken: the address alone says so"
    assert "503 after 3 ms" in service.get("/sources/am?answered=503&took=3").text


def test_whoever_has_the_key_may_declare_a_test_and_nobody_else(service: Barograph) -> None:
    key = connect(service, "grafana", "signed", secret="the secret that signs")
    body = message(alert("Declared", ago(minutes=1)))
    receipt = service.send("signed", body, key, headers={"Barograph-Test": "1"})
    assert all(event["test"] for event in service.read(receipt)["events"])
    raw = json.dumps(message(alert("Real", ago(minutes=1))))
    signature = hmac.new(b"the secret that signs", raw.encode(), hashlib.sha256).hexdigest()
    headers = {"X-Grafana-Alerting-Signature": signature, "Barograph-Test": "1"}
    answer = service.call("POST", "/in/signed", raw, token=None, headers=headers)
    assert answer.status == 202, answer.text
    (event,) = service.read(answer.json()["receipt"])["events"]
    assert "test" not in event


def test_the_page_counts_who_was_turned_away_and_why(service: Barograph) -> None:
    connect(service, "alertmanager", "guarded")
    assert service.post("/in/guarded", {}, token="wrong-" * 8).status == 401
    assert service.post("/in/guarded", {}, token=None).status == 401
    assert service.post("/in/guarded", {}, token=KEY).status in (401, 403)
    wanted = ("Wrong keys", "Without a key", "Keys of another source")

    def counted() -> bool:
        page = service.get("/sources/guarded").text
        return all(re.search(rf"<dt>{words}</dt><dd>1, last on \d{{4}}-", page) for words in wanted)

    service.until(counted, 90)


def test_what_could_not_be_read_is_shown_read_again_and_counted(service: Barograph) -> None:
    receipts = [service.send("hook", {"nonsense": n, "password": "hunter22"}, HOOK_KEY) for n in range(2)]
    for receipt in receipts:
        assert service.read(receipt)["state"] == "quarantined"
    page = service.get("/deliveries?state=quarantined&source=hook").text
    assert page.count("none of key, title, event and reading") == 2
    assert page.count("‹redacted: password›") == 2
    assert "hunter22" not in page
    before = stamped(service, receipts[0])
    answer = form(service, "/deliveries?source=hook", f"/deliveries/{receipts[0]}/reread")
    assert (answer.status, answer.headers["Location"]) == (303, f"/deliveries/{receipts[0]}")
    assert stamped(service, receipts[0]) != before
    answer = form(service, "/deliveries?source=hook", "/sources/hook/reread")
    assert (answer.status, answer.headers["Location"]) == (303, "/deliveries?state=quarantined&source=hook")
    service.until(lambda: stamped(service, receipts[1]) != before)
    assert "none of key" in service.get("/sources/hook").text


def stamped(service: Barograph, receipt: str) -> Any:
    """When a delivery was read last, as the database has it."""
    with closing(sqlite3.connect(service.home / "barograph.db")) as connection:
        number = int(receipt, 16)
        return connection.execute("SELECT stamped_at FROM stamp WHERE delivery_id = ?", (number,)).fetchone()


def test_long_lists_and_long_payloads_go_on(service: Barograph) -> None:
    key = connect(service, "generic", "long")
    for n in range(23):
        service.read(service.send("long", {"nonsense": n, "pad": ["x" * 50] * 100}, key))
    page = service.get("/deliveries?source=long").text
    assert page.count('class="card delivered"') == 20
    assert page.count("Show more") == 20
    following = re.search(r'href="(/deliveries\?[^"]*cursor=[^"]*)"', page)
    assert following
    assert service.get(unescape(following[1])).text.count('class="card delivered"') == 3
    assert service.get("/deliveries?state=read").status == 400


def test_a_large_payload_is_shown_in_part_and_then_more_of_it(service: Barograph) -> None:
    key = connect(service, "generic", "large")
    receipt = service.send("large", {"nonsense": ["y" * 100] * 1000}, key)
    page = service.get(f"/deliveries/{receipt}").text
    assert "Show more" in page
    assert len(page) < 60_000
    more = service.get(f"/deliveries/{receipt}?payload=more").text
    assert "Show more" not in more
    assert more.count("y" * 100) == 1000


def test_a_viewer_can_do_none_of_it(service: Barograph) -> None:
    token = service.cli("token", "create", "--role", "responder").stdout.split()[-1]
    for action in ("/sources/hook/test", "/sources/hook/reread", "/sources", "/sources/hook/key"):
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {token}"}
        assert service.request("POST", action, "csrf=x", headers=headers).status == 403
