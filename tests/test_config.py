"""Configuration: every error names table, row and key; what is applied belongs to its owner and is never deleted."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from incidents import configured
from incidents.adapters import adapters
from incidents.config import Config, ConfigError, config_of, spec_of, value_of
from incidents.configured import CONFIGURED, Step
from incidents.model import Match, Rule, Severity, Site, Source
from incidents.rules import DEFAULT_RULES
from incidents.store import Store
from tests.world import DAY, emptied, kept

SITE: dict[str, Any] = {
    "name": "smf",
    "title": "Sacramento",
    "latitude": 38.64,
    "longitude": -121.52,
    "uncertainty_km": 5,
    "timezone": "America/Los_Angeles",
    "provider_regions": ["aws:us-west-1"],
    "zones": ["CAC067", "CAZ017"],
    "grid_area": "BANC",
    "limits": {"dry_bulb_c": 43.0},
    "match": [{"label": "datacenter", "value": "smf*"}, {"label": "region", "value": "us-west-1"}],
    "depends_on": ["github", "cloudflare"],
    "operator": "example",
}
SOURCE: dict[str, Any] = {
    "name": "any",
    "adapter": "generic",
    "key": "k" * 32,
    "secret": "s",
    "every": "2m",
    "url": "https://example.com/feed",
    "timezone": "Europe/London",
    "mapping": {"title": "name"},
}
RULE: dict[str, Any] = {
    "name": "burst",
    "when": {"kind": "alert", "severity_at_least": "P1", "count": 3, "within": "10m"},
    "open": False,
    "group_by": "group",
    "match": [{"label": "team", "value": "shop"}],
    "unless": [{"label": "stage", "value": "test"}],
}
WHOLE = {"sites": [SITE], "sources": [SOURCE], "rules": [RULE]}


def read(document: Any) -> Config:
    """The configuration of a document."""
    return config_of(document, adapters())


# --- reading --------------------------------------------------------------------------------------------------------


def test_every_key_is_read() -> None:
    config = read(WHOLE)
    assert config.sites == (
        Site(
            "smf",
            "Sacramento",
            38.64,
            -121.52,
            5.0,
            "America/Los_Angeles",
            ("aws:us-west-1",),
            ("CAC067", "CAZ017"),
            "BANC",
            {"dry_bulb_c": 43.0},
            (Match("datacenter", "smf*"), Match("region", "us-west-1")),
            ("github", "cloudflare"),
            "example",
        ),
    )
    assert config.sources == (
        Source("any", "generic", 120, "https://example.com/feed", "Europe/London", {"title": "name"}),
    )
    assert config.rules == (
        Rule(
            "burst",
            Severity.CRITICAL,
            3,
            600,
            open=False,
            group_by="group",
            match=(Match("team", "shop"),),
            unless=(Match("stage", "test"),),
        ),
    )


def test_little_is_needed() -> None:
    config = read(
        {
            "sites": [{"name": "smf", "latitude": 0, "longitude": 0}],
            "sources": [{"name": "am", "adapter": "alertmanager"}],
        }
    )
    assert config.sites == (Site("smf", "smf", 0.0, 0.0, timezone_by="default"),)
    assert config.sources == (Source("am", "alertmanager"),)
    assert config.rules == DEFAULT_RULES
    assert read({}) == Config()
    assert (config.site("smf"), config.site("fra"), config.source("am"), config.source("x")) == (
        config.sites[0],
        None,
        config.sources[0],
        None,
    )


def test_the_default_rules_are_the_documented_ones() -> None:
    assert [(r.actor, r.severity_at_least, r.count, r.within_seconds, r.group_by) for r in DEFAULT_RULES] == [
        ("rule:critical-alert@1", Severity.CRITICAL, None, 600, "site"),
        ("rule:burst@1", None, 5, 600, "site"),
    ]


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("2 h", 7200), ("1d", 86400)])
def test_lengths(text: str, seconds: int) -> None:
    assert read({"sources": [{**SOURCE, "every": text}]}).sources[0].every_seconds == seconds


# --- errors ---------------------------------------------------------------------------------------------------------

REMOVED = object()
ERRORS: list[tuple[str, str, object, str]] = [
    ("sites", "name", REMOVED, "sites[0]: name: is missing"),
    ("sites", "name", "SMF", "sites[0]: name: 'SMF'"),
    ("sites", "name", "a/b", "sites[0]: name: 'a/b'"),
    ("sites", "latitude", REMOVED, "sites[0] smf: latitude: is missing"),
    ("sites", "latitude", 90.1, "latitude: 90.1 is not between -90 and 90"),
    ("sites", "latitude", "38", "latitude: '38' is not of the kind expected"),
    ("sites", "latitude", True, "latitude: 'True' is not of the kind expected"),
    ("sites", "latitude", float("nan"), "latitude: nan is not between"),
    ("sites", "longitude", -181, "longitude: -181.0 is not between -180 and 180"),
    ("sites", "uncertainty_km", -1, "uncertainty_km: -1.0 is not between"),
    ("sites", "timezone", "Mars/Base", "timezone: 'Mars/Base' is not a time zone"),
    ("sites", "zones", "CAC067", "zones: 'CAC067' is not of the kind expected"),
    ("sites", "zones", [1], "zones: a list of strings is expected"),
    ("sites", "limits", {"dry_bulb_c": "hot"}, "limits: numbers by variable are expected"),
    ("sites", "match", [{"label": "x"}], "match[0]: value: is missing"),
    ("sites", "match", [{"label": "x", "value": "y", "regex": "z"}], "match[0]: regex: is not a key"),
    ("sites", "match", ["x"], "match[0]: a table is expected"),
    ("sites", "longtitude", 1, "longtitude: is not a key that is known here"),
    ("sources", "adapter", REMOVED, "adapter: is missing"),
    ("sources", "adapter", "carrier_pigeon", "adapter: 'carrier_pigeon' is not an adapter"),
    ("sources", "key", "short", "key: shorter than 32 characters"),
    ("sources", "every", "often", "every: 'often' is not a length"),
    ("sources", "every", 120, "every: '120' is not of the kind expected"),
    ("sources", "timezone", "GMT+25", "timezone: 'GMT+25' is not a time zone"),
    ("sources", "mapping", {"title": 1}, "mapping: JMESPath expressions by field are expected"),
    ("sources", "password", "x", "password: is not a key that is known here"),
    ("rules", "when", REMOVED, "when: is missing"),
    ("rules", "when", {}, "when: severity_at_least: give this, or count and within"),
    ("rules", "when", {"kind": "hazard", "count": 1}, "when: kind: rules open incidents for alerts only"),
    ("rules", "when", {"severity_at_least": "horrible"}, "when: severity_at_least: 'horrible' is not a severity"),
    ("rules", "when", {"count": 0}, "when: count: at least 1 is expected"),
    ("rules", "when", {"count": 2, "within": "soon"}, "when: within: 'soon' is not a length"),
    ("rules", "when", {"count": 2, "during": "5m"}, "when: during: is not a key"),
    ("rules", "group_by", "moon", "group_by: site or group is expected"),
    ("rules", "open", "yes", "open: 'yes' is not of the kind expected"),
]


@pytest.mark.parametrize(("table", "key", "value", "said"), ERRORS)
def test_an_error_names_table_row_and_key(table: str, key: str, value: object, said: str) -> None:
    document = copy.deepcopy(WHOLE)
    row: dict[str, Any] = document[table][0]
    if value is REMOVED:
        del row[key]
    else:
        row[key] = value
    with pytest.raises(ConfigError) as raised:
        read(document)
    text = str(raised.value)
    assert said in text
    assert text.startswith(f"{table}[0]")
    if key != "name":
        assert f" {WHOLE[table][0]['name']}: " in text


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "configuration: a table is expected"),
        ({"sites": {}}, "configuration: sites: '{}' is not of the kind expected"),
        ({"sites": ["smf"]}, "sites[0]: a table is expected"),
        ({"site": []}, "configuration: site: is not a key that is known here"),
        ({"sites": [SITE, SITE]}, "sites smf: name: is given twice"),
        ({"sources": [SOURCE, SOURCE]}, "sources any: name: is given twice"),
        ({"rules": [RULE, RULE]}, "rules burst: name: is given twice"),
    ],
)
def test_an_error_of_the_whole(document: object, said: str) -> None:
    with pytest.raises(ConfigError, match="^" + said.replace("[", r"\[").replace("{", r"\{")):
        read(document)


# --- as rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["site", "source", "rule"])
def test_values_are_read_back_as_they_were(kind: str) -> None:
    import orjson

    value: Site | Source | Rule = getattr(read(WHOLE), f"{kind}s")[0]
    assert value_of(kind, orjson.loads(orjson.dumps(spec_of(value)))) == value


def test_keys_and_secrets_never_become_part_of_a_row() -> None:
    assert "k" * 32 not in repr(spec_of(read(WHOLE).sources[0]))
    assert set(spec_of(read(WHOLE).sources[0])) == {"name", "adapter", "every_seconds", "url", "timezone", "mapping"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def one_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each backend for the whole module."""
    yield from kept(request, tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(one_store: Store) -> Store:
    """A store without a row."""
    return emptied(one_store)


def applied(store: Store, document: Any, *, owner: str = "file", prune: bool = False, day: int = 0) -> list[str]:
    """Apply a document as an owner; the plan's lines."""
    config = read(document)
    with store.writing() as connection:
        steps = configured.plan(connection, config, owner=owner, prune=prune)
        configured.write(connection, config, steps, owner=owner, now=DAY + timedelta(days=day))
    return [step.text for step in steps]


def in_force(store: Store) -> Config:
    """What is in force."""
    with store.reading() as connection:
        return configured.load(connection)


def test_applying_twice_changes_nothing(store: Store) -> None:
    assert applied(store, WHOLE) == ["add     site smf", "add     source any", "add     rule burst"]
    assert in_force(store) == read(WHOLE)
    assert applied(store, WHOLE, day=1) == ["keep    site smf", "keep    source any", "keep    rule burst"]
    with store.reading() as connection:
        assert {row.applied_at for row in connection.execute(CONFIGURED.select())} == {DAY}


def test_a_change_is_told_with_its_keys(store: Store) -> None:
    applied(store, WHOLE)
    changed = {**WHOLE, "sites": [{**SITE, "title": "Sacramento 2", "zones": ["CAC067"]}]}
    assert applied(store, changed)[0] == "change  site smf (title, zones)"
    assert in_force(store).sites[0].title == "Sacramento 2"


def test_what_the_file_leaves_out_stays_until_it_is_pruned_and_can_come_back(store: Store) -> None:
    applied(store, WHOLE)
    without = {"sites": [SITE], "sources": [SOURCE]}
    assert applied(store, without)[-1] == "absent  rule burst (kept; --prune retires it)"
    assert in_force(store).rules == read(WHOLE).rules
    assert applied(store, without, prune=True)[-1] == "retire  rule burst"
    assert in_force(store).rules == DEFAULT_RULES
    with store.reading() as connection:
        assert len(connection.execute(CONFIGURED.select()).all()) == 3
    assert applied(store, WHOLE)[-1] == "change  rule burst (in force again)"
    assert in_force(store).rules == read(WHOLE).rules


def test_rows_of_the_page_are_not_touched_by_the_file(store: Store) -> None:
    applied(store, {"sites": [{**SITE, "title": "By the page"}], "sources": [SOURCE]}, owner="page")
    assert applied(store, WHOLE)[0] == "taken   site smf (owned by page)"
    assert in_force(store).sites[0].title == "By the page"
    assert not [line for line in applied(store, {}, prune=True) if "site" in line or "source" in line]
    with store.reading() as connection:
        assert configured.owners(connection) == {("site", "smf"): "page", ("source", "any"): "page"}


def test_rows_of_a_story_are_not_touched_by_the_file(store: Store) -> None:
    applied(store, {"sites": [SITE]}, owner="story")
    with store.writing() as connection:
        configured.put(connection, ("story", "london"), {"title": "London"}, owner="story", now=DAY)
    assert applied(store, {"sources": [SOURCE]}, prune=True) == ["add     source any"]
    assert in_force(store).sites == read(WHOLE).sites
    assert applied(store, {}, owner="story", prune=True) == ["retire  site smf"]
    with store.reading() as connection:
        assert ("story", "london") in configured.owners(connection)


def test_what_the_page_retired_the_file_may_take(store: Store) -> None:
    applied(store, {"sites": [SITE]}, owner="page")
    applied(store, {}, owner="page", prune=True)
    assert applied(store, {"sites": [SITE]}) == ["change  site smf (in force again)"]
    with store.reading() as connection:
        assert configured.owners(connection) == {("site", "smf"): "file"}


def test_the_order_of_the_file_is_the_order_in_force(store: Store) -> None:
    sites = [{**SITE, "name": name} for name in ("b", "a", "c")]
    applied(store, {"sites": sites})
    assert [site.name for site in in_force(store).sites] == ["b", "a", "c"]


def test_the_text_of_a_step() -> None:
    assert Step("taken", "source", "any", "owned by page").text == "taken   source any (owned by page)"
