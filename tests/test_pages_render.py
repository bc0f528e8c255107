"""The pages from hand-made views: escaped, labelled, free of anything inline, and quiet in a real browser."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route

from dashboards import documents, incident_page, pages, paper, senders, words
from incidents.model import Members, Moment, Status
from incidents.views.source_view import SenderState, Spooled
from incidents.views.view import Hit
from tests import london_pages, window
from tests import london_views as london

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
BANNED = re.compile(r"\b(caused|because|due to|root cause|culprit|impact of)\b", re.IGNORECASE)
PHONE_SVG = (
    '<svg viewBox="0 0 328 80" role="img" aria-label="drawing"><rect class="f-sunk" width="328" height="80"/></svg>'
)
INCIDENT = f"/incidents/{london.INCIDENT.id}"
FIGURE = f"/api/v1{INCIDENT}/figure"
HOST = "http://127.0.0.1"


def now(role: str = "admin") -> str:
    return pages.now_page(london_pages.NOW_VIEW, london.viewer(role), strips=PHONE_SVG)


def empty_now(role: str = "admin") -> str:
    return pages.now_page(london_pages.EMPTY_NOW, london.viewer(role), strips="")


def incidents(role: str = "admin") -> str:
    rows = [london_pages.FRANKFURT_ROW, london_pages.LONDON_ROW, london_pages.RESOLVED_ROW]
    filters = {"q": london.HOSTILE, "status": "open"}
    return pages.incidents_page(rows, london.viewer(role), filters=filters, next_cursor="a b&c", now=london_pages.NOW)


def incident(role: str = "admin", view: pages.IncidentView = london.INCIDENT_VIEW, theme: str = "auto") -> str:
    return incident_page.incident_page(
        view, london.viewer(role, theme), phone_svg=PHONE_SVG, alt="One day in London.", figure_url=FIGURE
    )


def sources(role: str = "admin") -> str:
    return pages.sources_page(
        london_pages.SOURCES,
        london_pages.QUARANTINE,
        london_pages.ADAPTERS,
        london.viewer(role),
        public_url="https://barograph.example",
        now=london_pages.NOW,
    )


def source(role: str = "admin") -> str:
    waiting = london_pages.source("alertmanager-eu", None, deliveries=0, refused=2)
    return senders.source_page(
        waiting,
        london_pages.SETUP,
        SenderState(),
        london.viewer(role),
        "https://barograph.example",
        now=london_pages.NOW,
        title="Alertmanager",
    )


def sites(role: str = "admin") -> str:
    return pages.sites_page([london.LONDON, london.SACRAMENTO], london.viewer(role), now=london_pages.NOW)


def settings(role: str = "admin") -> str:
    return pages.settings_page([("PORT", 8080, "default"), ("PUBLIC_URL", None, "default")], london.viewer(role))


def sign_in(_role: str = "admin") -> str:
    return pages.sign_in_page(error="That token is not known.", next="/incidents")


def error(role: str = "admin") -> str:
    return pages.error_page(503, "The record cannot be read", "It did not answer in 5 s.", "req-1", london.viewer(role))


PAGES: dict[str, Callable[..., str]] = {
    "/": now,
    "/empty": empty_now,
    "/incidents": incidents,
    INCIDENT: incident,
    "/sources": sources,
    "/sources/alertmanager-eu": source,
    "/sites": sites,
    "/settings": settings,
    "/sign-in": sign_in,
    "/error": error,
}
every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


class Parsed(HTMLParser):
    """A document's start tags with their attributes, its forms with their fields, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.forms: list[tuple[dict[str, str], list[dict[str, str]]]] = []
        self.text = ""
        self._form: list[dict[str, str]] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag == "form":
            self._form = []
            self.forms.append((given, self._form))
        elif tag in {"input", "select", "textarea", "button"} and self._form is not None:
            self._form.append({"tag": tag, **given})

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [given for tag, given in self.tags if tag in tags]

    def actions(self) -> set[str]:
        return {given["action"] for given, _ in self.forms if given["method"] == "post"}


@every_page
def test_nothing_is_inline_and_nothing_is_from_another_host(page: Callable[..., str]) -> None:
    parsed = Parsed(page())
    assert not parsed.all("style")
    for tag, given in parsed.tags:
        assert not any(name == "style" or name.startswith("on") for name in given), (tag, given)
        if tag == "script":
            assert given["src"].startswith("/static/")
        for name in ("src", "href", "action"):
            assert not urlsplit(given.get(name, "")).netloc, (tag, given)
            assert not given.get(name, "").startswith("javascript:")


@every_page
def test_static_addresses_lead_to_files(page: Callable[..., str]) -> None:
    named = re.findall(r'"/static/([^"?]+)', page())
    assert "app.js" in named
    for name in named:
        assert (paper.STATIC / name).is_file(), name


@every_page
def test_every_field_has_a_label_and_every_id_is_its_own(page: Callable[..., str]) -> None:
    parsed = Parsed(page())
    ids = Counter(given["id"] for _, given in parsed.tags if "id" in given)
    assert [name for name, times in ids.items() if times > 1] == []
    labelled = {given.get("for") for given in parsed.all("label")}
    for given in parsed.all("input", "select", "textarea"):
        if given.get("type") not in {"hidden", "checkbox"}:
            assert given.get("id") in labelled or "aria-label" in given, given
        for name in given.get("aria-describedby", "").split():
            assert name in ids, given


@every_page
def test_headings_step_down_one_at_a_time(page: Callable[..., str]) -> None:
    levels = [int(tag[1]) for tag, _ in Parsed(page()).tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@every_page
def test_landmarks_and_a_way_past_the_header(page: Callable[..., str]) -> None:
    parsed = Parsed(page())
    assert len(parsed.all("main")) == len(parsed.all("header")[:1]) == 1
    assert {"class": "skip", "href": "#content"} in parsed.all("a")


@every_page
def test_every_form_that_changes_something_carries_the_token(page: Callable[..., str]) -> None:
    for given, fields in Parsed(page()).forms:
        if given["method"] == "post" and given["action"] != "/sign-in":
            assert [field["value"] for field in fields if field.get("name") == "csrf"] == ["csrf-of-ana"], given


@every_page
def test_a_viewer_is_offered_nothing_that_changes_the_record(page: Callable[..., str]) -> None:
    assert Parsed(page("viewer")).actions() <= {"/zone", "/theme", "/views", "/sign-out", "/sign-in"}


@every_page
def test_pages_say_coincided_and_never_more(page: Callable[..., str]) -> None:
    assert not BANNED.search(Parsed(page()).text)


def test_a_responder_has_every_form_of_an_incident() -> None:
    assert Parsed(incident("responder")).actions() >= {
        f"{INCIDENT}/status",
        f"{INCIDENT}/entries",
        f"{INCIDENT}/entries/7/correct",
        f"{INCIDENT}/entries/7/retract",
        f"{INCIDENT}/patch",
        f"{INCIDENT}/links/o-met/verdict",
    }


def test_raw_bytes_are_for_admins() -> None:
    raw = f"/api/v1/deliveries/{london.LINES[1].trace.delivery}/raw"
    assert raw in incident("admin")
    assert raw not in incident("responder")


def test_hostile_text_is_text() -> None:
    for text in (incident(), incidents()):
        parsed = Parsed(text)
        assert "<script>alert(1)</script>" not in text
        assert "\u202e" not in text
    assert "<script>alert(1)</script> =cmd" in parsed.text or 'value="&lt;script&gt;' in text


def test_every_line_has_its_address_and_leads_to_its_evidence() -> None:
    text = incident()
    parsed = Parsed(text)
    assert {line.id for line in london.LINES} <= {given["id"] for given in parsed.all("li") if "id" in given}
    assert f"/deliveries/{london.LINES[1].trace.delivery}" in {given.get("href") for given in parsed.all("a")}
    assert "alertmanager@4" in parsed.text
    assert "2,214 bytes" in parsed.text
    assert "9f41c0000000" in parsed.text


def test_facts_say_how_long_after() -> None:
    text = Parsed(incident()).text
    for told in ("after 3 min", "after 10 min", "after 1 h 39 min", "20 Jul, after 9 h 51 min"):
        assert told in text


def test_a_range_is_told_as_one() -> None:
    ranged = replace(london.INCIDENT, impact_started_at=Moment(london.at("13:00"), london.at("13:30")))
    text = Parsed(incident(view=replace(london.INCIDENT_VIEW, incident=ranged))).text
    assert "14:00 \N{EN DASH} 14:30" in text
    assert "after 6 min \N{EN DASH} 36 min" in text


def test_a_range_over_days_is_told_in_its_order_with_the_day_of_each_end() -> None:
    days = timedelta(days=1)
    ranged = replace(
        london.INCIDENT,
        impact_started_at=Moment(london.at("11:00"), london.at("13:00") + days),
        resolved_at=Moment(london.at("12:00") + 2 * days, london.at("14:00") + 3 * days),
    )
    text = Parsed(incident(view=replace(london.INCIDENT_VIEW, incident=ranged))).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "19 Jul 2022 12:00 \N{EN DASH} 20 Jul 14:00" in text
    assert "21 Jul 13:00 \N{EN DASH} 22 Jul 15:00 after 23 h \N{EN DASH} 3 d 3 h" in text


def test_an_open_incident_says_that_its_alerts_have_ended() -> None:
    def told(status: Status, **members: Any) -> str:
        incident_ = replace(london.INCIDENT, status=status, members=Members(**members))
        return Parsed(incident(view=replace(london.INCIDENT_VIEW, incident=incident_))).text

    ended = london.at("15:00")
    only = "Its only alert has ended, at 16:00; the incident is still open."
    assert only in told("open", alerts=1, last_ends_at=ended)
    several = "All of its 3 alerts have ended, the last at 16:00; the incident is still acknowledged."
    assert several in told("acknowledged", alerts=3, last_ends_at=ended)
    for text in (
        told("resolved", alerts=1, last_ends_at=ended),
        told("open", alerts=3, on=1, last_ends_at=ended),
        told("open", alerts=0),
    ):
        assert "the incident is still" not in text
    assert "3 alerts, 1 still on" in told("open", alerts=3, on=1)


def test_a_list_says_where_the_words_were_found_and_marks_them() -> None:
    row = london_pages.LONDON_ROW
    hits = {row.incident.id: [Hit("withdrawn note", "<b>Fans</b> swapped & fans cleaned", 7), Hit("label", "fan=fans")]}
    page = pages.incidents_page(
        [row], london.viewer(), filters={"q": "fans"}, next_cursor=None, now=london_pages.NOW, hits=hits
    )
    assert "&lt;b&gt;<mark>Fans</mark>&lt;/b&gt; swapped &amp; <mark>fans</mark> cleaned" in page
    assert f"/incidents/{row.incident.id}?line=e7#e7" in page
    assert "withdrawn note" in page
    assert "<mark>" not in pages.incidents_page(
        [row], london.viewer(), filters={}, next_cursor=None, now=london_pages.NOW, hits=hits
    )


def test_a_provider_that_signs_in_stands_before_the_password() -> None:
    page = pages.sign_in_page(provider="id.example.org")
    assert page.index("Sign in by id.example.org") < page.index("Or with a name") < page.index('id="password"')
    assert "Or with a name" not in pages.sign_in_page()


def test_a_late_line_and_an_uncertain_one_say_so() -> None:
    text = re.sub(r"\s+", " ", Parsed(incident()).text)
    assert "14:25 rec. 17:50" in text
    assert "17:15 \N{EN DASH} 18:13" in text


@pytest.mark.parametrize(
    ("kind", "late", "glyph"),
    [
        ("alert", False, "critical"),
        ("alert_changed", False, "critical"),
        ("alert_ended", False, "critical-end"),
        ("alerts_joined", False, "entry"),
        ("hazard_ended", False, "hazard-end"),
        ("provider_incident", True, "provider"),
        ("post", True, "post"),
        ("note", False, "entry"),
        ("note", True, "late"),
    ],
)
def test_each_kind_of_line_has_its_glyph(kind: str, late: bool, glyph: str) -> None:
    line = replace(london.LINES[4], kind=kind, late=late)
    assert paper.glyph_of(line) == glyph
    assert f'class="g g-{glyph.removesuffix("-end")}' in incident(view=replace(london.INCIDENT_VIEW, lines=(line,)))


def test_an_earlier_view_says_what_it_hides() -> None:
    earlier = replace(london.INCIDENT_VIEW, as_known=True, as_of=london.at("14:00"))
    text = incident(view=earlier)
    assert "what was recorded later is hidden" in text
    assert "as_of=2022-07-19T14%3A00%3A00.000000Z" in text
    assert "what was recorded later is hidden" not in incident()


def test_weak_links_are_counted_and_rejected_ones_stay_with_a_way_back() -> None:
    parsed = Parsed(incident())
    assert "1 more kept as context" in parsed.text
    assert "Rejected by ben, 20 Jul 09:12" in parsed.text
    verdicts = [
        {field.get("value") for field in fields if field.get("name") == "verdict"}
        for given, fields in parsed.forms
        if given.get("action") == f"{INCIDENT}/links/o-fire/verdict"
    ]
    assert verdicts == [{"proposed"}]


def test_a_link_made_by_hand_is_shown_whatever_its_bits() -> None:
    by_hand = replace(london.LINKS[3], proposed_by="user:ana")
    view = replace(london.INCIDENT_VIEW, incident=replace(london.INCIDENT, links=(by_hand,)))
    assert 'id="link-o-slight"' in incident(view=view)
    assert 'id="link-o-slight"' not in incident()


def test_a_score_never_stands_without_its_reasons() -> None:
    text = Parsed(incident("viewer")).text
    for link in london.LINKS[:3]:
        for reason in link.evidence.reasons:
            assert reason.sentence in text


def test_calm_is_claimed_only_when_every_source_answered() -> None:
    quiet = replace(london_pages.NOW_VIEW, open=(), providers=(), hazards=(), sources=london_pages.SOURCES[:3])
    calm = "Nothing reported; 1 source that should speak answered."
    assert calm in pages.now_page(quiet, london.viewer(), strips="")
    webhooks = pages.now_page(replace(quiet, sources=london_pages.SOURCES[:2]), london.viewer(), strips="")
    assert "2 sources speak only when something happens, so silence proves nothing." in webhooks
    assert "that should speak answered" not in webhooks
    partial = replace(quiet, sources=london_pages.SOURCES)
    told = pages.now_page(partial, london.viewer(), strips="")
    assert "This is not calm: 1 source of 6 did not answer" in told
    assert "that should speak did" not in told
    outside = pages.now_page(replace(quiet, hazards=(london.WARNING,)), london.viewer(), strips="")
    assert "Outside: 1 warning in force, 0 provider incidents." in outside
    never = replace(quiet, sources=(london_pages.source("nws", None, kind="feed"), london_pages.source("am", None)))
    assert "1 source of 2 did not answer" in pages.now_page(never, london.viewer(), strips="")
    assert "No source is connected yet" in empty_now()


def test_a_source_that_is_silent_says_since_when() -> None:
    assert "no answer for 42 min" in Parsed(now()).text


def test_what_is_long_ago_has_its_date() -> None:
    old = replace(london_pages.NOW_VIEW, sources=(london_pages.source("met", 60 * 24 * 400, kind="feed"),))
    assert "14 Jun 2021 17:40" in pages.now_page(old, london.viewer(), strips="")


def test_the_one_next_action_follows_the_status() -> None:
    text = now("responder")
    assert re.search(r'2022-07-19-fra/status".*?value="acknowledged"', text)
    assert re.search(r'2022-07-19-lon/status".*?value="resolved"', text)


def test_the_next_page_keeps_the_filter() -> None:
    assert "status=open&amp;cursor=a+b%26c" in incidents()


def test_a_snippet_has_the_address_and_the_key_only_when_it_was_just_made() -> None:
    assert "https://barograph.example/in/alertmanager-eu" in source()
    assert "KEY" in source()
    shown = senders.source_page(
        london_pages.SOURCES[0],
        london_pages.SETUP,
        SenderState(),
        london.viewer(),
        "https://barograph.example/",
        key="bk_once",
    )
    assert "bk_once" in shown
    assert "{key}" not in shown


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(away: str) -> None:
    assert "evil" not in pages.sign_in_page(error=None, next=away)
    assert 'name="next" value="/"' in pages.sign_in_page(error=None, next=away)


def test_backticks_of_a_setup_are_code() -> None:
    part = {**london_pages.SETUP["snippets"][0], "note": "Set `a: <b>` and reload."}  # type: ignore[index]  # plain rows
    setup = {"snippets": [part], "facts": [("On 4xx", "says `400` once")]}
    text = senders.source_page(
        london_pages.SOURCES[0],
        setup,
        SenderState(),
        london.viewer(),
        "https://barograph.example",
        now=london_pages.NOW,
    )
    assert "Set <code>a: &lt;b&gt;</code> and reload." in text
    assert "says <code>400</code> once" in text
    assert "`" not in text


def test_an_incidents_length_is_counted_alike_on_every_page() -> None:
    known = replace(
        london.INCIDENT, status="open", mitigated_at=None, resolved_at=None, impact_started_at=None,
        opened_at=london_pages.NOW - timedelta(hours=9), detected_at=Moment(london_pages.NOW - timedelta(hours=2)),
    )  # fmt: skip
    row = replace(london_pages.LONDON_ROW, incident=known)
    listed = pages.incidents_page([row], london.viewer(), filters={}, next_cursor=None, now=london_pages.NOW)
    assert "2 h so far" in listed
    view = replace(london_pages.NOW_VIEW, open=(row,), recent=(), now=london_pages.NOW)
    assert "open 2 h " in pages.now_page(view, london.viewer(), strips="")


def test_a_phase_is_not_called_impact_before_somebody_said_when_it_began() -> None:
    assert "Impact <span" in incident()
    unsaid = replace(london.INCIDENT_VIEW, incident=replace(london.INCIDENT, impact_started_at=None))
    text = incident_page.incident_page(unsaid, london.viewer(), phone_svg=PHONE_SVG, alt="", figure_url=FIGURE)
    assert "Since detection <span" in text
    assert "Impact <span" not in text
    for document in (documents.markdown(unsaid), documents.html(unsaid, svg=PHONE_SVG)):
        assert "Since detection" in document
        assert not re.search(r"(?m)^### Impact|<h3>Impact", document)


def test_a_phone_has_every_export() -> None:
    text = incident()
    assert text.count("export.pdf") == text.count("export.csv") == 2
    assert 'menu phone-only" name="incident"' in text


def test_a_site_of_which_nothing_was_heard_is_not_called_calm() -> None:
    strip = replace(london_pages.NOW_VIEW.strips[0], bars=(), density=None, latest=None, gaps=())
    text = pages.now_page(replace(london_pages.NOW_VIEW, strips=(strip,)), london.viewer(), strips="")
    assert "nothing heard of this site" in text


def test_the_theme_is_the_readers_own() -> None:
    assert 'data-theme="dark"' in incident(theme="dark")
    assert "data-theme" not in incident(theme="auto").split("<head>")[0]


def test_big_static_files_stand_compressed_beside_themselves() -> None:
    big = [path for path in paper.STATIC.rglob("*.js") if path.stat().st_size > 100_000]
    assert big
    for path in big:
        assert gzip.decompress(path.with_name(path.name + ".gz").read_bytes()) == path.read_bytes()


def test_what_was_made_by_others_has_its_licence_beside_it() -> None:
    assert {path.name for path in (paper.STATIC / "vendor").glob("LICENSE*")} == {"LICENSE.plotly.txt"}
    assert {path.name for path in (paper.STATIC / "fonts").glob("LICENSE*")} == {
        "LICENSE.ibm-plex-mono.txt",
        "LICENSE.inter.txt",
    }


# ---- in a real browser ------------------------------------------------------------------------------------------

DRAWING = {
    "data": [
        {
            "type": "bar", "orientation": "h", "base": ["2022-07-19 12:00"], "x": [10_800_000], "y": [100], "width": 15,
            "hovertext": ["<b>bold</b> &lt;a href=x&gt;"], "hoverinfo": "text", "marker": {"pattern": {"shape": "/"}},
        },
        {"type": "scatter", "mode": "markers", "x": ["2022-07-19 13:00"], "y": [150]},
    ],
    "layout": {
        "height": 320,
        "xaxis": {"type": "date", "tickvals": ["2022-07-19 13:00"], "ticktext": ["<b>14:00</b><br>Tue 19 Jul"]},
        "yaxis": {"range": [320, 0], "visible": False},
        "annotations": [{"text": "bar", "x": "2022-07-19 12:00", "y": 100, "showarrow": False}],
        "meta": {"known_at": {"left": 150, "right": 900, "y": 300}},
    },
}  # fmt: skip
STREAM = "retry: 600000\n\n" + "".join(
    f"event: change\ndata: {json.dumps({'topics': topics})}\n\n"
    for topics in (["deliveries"], [f"incident:{london.INCIDENT.id}", "alert"], ["incident:another", "deliveries"])
)
"""Three changes: one of no page but the sources', one of this incident, one of another."""
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "woff2": "font/woff2"}


class Site:
    """Answers a browser's requests from the pages and the static files; `asked` are the paths in order."""

    def __init__(self, opened: window.Window) -> None:
        self.asked: list[str] = []
        opened.context.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        self.asked.append(path)
        if path in PAGES:
            self._fulfil(route, "text/html; charset=utf-8", PAGES[path]())
        elif path == FIGURE:
            self._fulfil(route, "application/json", json.dumps(DRAWING))
        elif path == "/api/v1/stream":
            self._fulfil(route, "text/event-stream", STREAM)
        else:
            file = paper.STATIC / path.removeprefix("/static/")
            self._fulfil(route, TYPES[file.suffix[1:]], file.read_bytes())

    def _fulfil(self, route: Route, content_type: str, body: str | bytes) -> None:
        route.fulfill(status=200, headers={"Content-Type": content_type, "Content-Security-Policy": POLICY}, body=body)


@pytest.fixture(params=[1440, 390, 320])
def opened(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[tuple[window.Window, Site, int]]:
    with window.window(chromium, viewport={"width": request.param, "height": 900}) as private:
        yield private, Site(private), request.param
        assert not private.problems, "\n".join(private.problems)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_quiet_and_never_scrolls_sideways(opened: tuple[window.Window, Site, int], path: str) -> None:
    private, _, width = opened
    page = private.open(HOST + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_figure_is_drawn_where_it_has_room_and_the_phone_loads_none(
    opened: tuple[window.Window, Site, int],
) -> None:
    private, site, width = opened
    page = private.open(HOST + INCIDENT)
    if width < 640:
        page.wait_for_timeout(500)
        assert FIGURE not in site.asked
        assert not any("plotly" in path for path in site.asked)
        assert page.locator(".phone-figure svg").is_visible()
        assert page.inner_text(".coincided a") == "Met Office red warning, extreme heat"
        assert page.locator(".last-lines li").count() == 5
        heights = [each.evaluate("node => node.offsetHeight") for each in page.locator(".thumb > *").all()]
        assert len(heights) == 2
        assert min(heights) >= 46
        return
    page.wait_for_selector("svg.main-svg")
    assert page.locator(".phone-figure svg").is_hidden()
    assert page.evaluate("document.querySelector('.main-svg').getBoundingClientRect().height") == 320
    assert page.locator(".slider").bounding_box()["width"] == 766  # type: ignore[index]  # it is visible


def test_another_range_and_another_moment_replace_the_figure_alone(opened: tuple[window.Window, Site, int]) -> None:
    private, site, width = opened
    page = private.open(HOST + INCIDENT)
    if width < 640:
        assert page.locator("a[data-range]").first.is_hidden()
        return
    page.wait_for_selector("svg.main-svg")
    page.fill("#text", "half a note")
    for act in (lambda: page.click("a[aria-label=Earlier]"), lambda: page.press(".slider", "ArrowLeft")):
        before = site.asked.count(FIGURE)
        with page.expect_response(lambda response: FIGURE in response.url):
            act()
        assert site.asked.count(FIGURE) == before + 1
    assert "from=2022-07-18T23%3A30" in page.url
    assert "as_of=2022-07-20T00%3A56" in page.url
    assert page.input_value("#text") == "half a note"


def test_another_moment_replaces_all_but_the_drawing(chromium: Browser) -> None:
    known_then = re.sub(r'(?s)<section class="card" aria-labelledby="h-measured">.*?</section>', "", incident("viewer"))
    known_then = known_then.replace('<dl class="facts">', '<dl class="facts" data-then>').replace(", version", ", then")

    def then(route: Route) -> None:
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
        route.fulfill(status=200, headers=headers, body=known_then)

    with window.window(chromium, viewport={"width": 1440, "height": 900}) as private:
        Site(private)
        private.context.route(re.compile(rf"{INCIDENT}\?.*as_of="), then)
        page = private.open(HOST + INCIDENT)
        page.wait_for_selector("svg.main-svg")
        assert page.locator("#h-measured").count() == 1
        page.evaluate("document.querySelector('[data-figure]').dataset.kept = 'yes'")
        page.press(".slider", "ArrowLeft")
        page.wait_for_selector(".facts[data-then]")
        assert page.locator("#h-measured").count() == 0
        assert page.locator("#add-entry").count() == 0
        assert ", then" in page.inner_text("footer.bottom")
        assert page.locator("[data-kept] svg.main-svg").count() > 0
        assert page.evaluate("document.activeElement.className").startswith("slider")
        assert not private.problems


def test_keys_work_until_they_are_turned_off(opened: tuple[window.Window, Site, int]) -> None:
    private, _, _ = opened
    page = private.open(HOST + INCIDENT)
    page.keyboard.press("e")
    assert page.evaluate("document.activeElement.id") == "text"
    page.evaluate("document.activeElement.blur(); document.getElementById('shortcuts').click()")
    page.keyboard.press("e")
    assert page.evaluate("document.activeElement.id") == ""


def test_news_is_counted_and_moves_nothing(opened: tuple[window.Window, Site, int]) -> None:
    private, _, _ = opened
    page = private.open(f"{HOST}{INCIDENT}#e12")
    page.wait_for_selector(".live-chip button")
    assert page.inner_text(".live-chip button").startswith("1 new")
    assert page.evaluate("getComputedStyle(document.querySelector('.live-chip')).position") == "fixed"
    assert page.locator("#e12 > details").get_attribute("open") is not None
    for path, news in (("/", 2), ("/sources", 3)):
        page = private.open(HOST + path)
        page.wait_for_selector(f".live-chip:has-text('{news} new')")


def test_what_waits_in_the_spool_is_told_on_the_sources_page() -> None:
    page = partial(
        pages.sources_page,
        london_pages.SOURCES,
        london_pages.QUARANTINE,
        london_pages.ADAPTERS,
        london.viewer("viewer"),
        public_url="https://barograph.example",
        now=london_pages.NOW,
    )
    assert 'id="spooled"' not in page()
    told = page(spooled=Spooled(1, 900, london_pages.NOW, 2))
    assert "1 delivery acknowledged while the database was away waits" in told
    assert "2 deliveries that the database does not take are set aside" in told


def test_the_demo_says_which_open_incidents_are_not_its_own() -> None:
    demo = replace(
        london_pages.NOW_VIEW, demo=True, stories=frozenset(row.incident.id for row in london_pages.NOW_VIEW.open)
    )
    told = pages.now_page(demo, london.viewer(), strips="")
    assert "stories replayed, not your systems" in told
    assert "a story of the demo" in told
    own = pages.now_page(replace(demo, stories=frozenset()), london.viewer(), strips="")
    assert "not your systems" not in own
    assert f"{len(demo.open)} of {words.count(len(demo.open), 'open incident')}" in own
    assert "a story of the demo" not in own
