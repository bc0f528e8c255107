"""The shipped stories, played through the real store: what they must come to, and word for word what they read like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from dashboards import sentences
from incidents.model import Moment
from incidents.rebuild import rebuild, state_digest
from incidents.store import Store
from incidents.views.incident_view import Asked, gather
from incidents.views.view import IncidentView, Line
from service.intake.replayed import Outcome
from service.replay import Player
from tests import databases, golden

Outcomes = Mapping[str, Outcome]
HOW_MANY = {"facebook-2021": 1, "london-2022": 1, "now-synthetic": 3, "sacramento-2022": 1}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What each story leaves, each in a SQLite file of its own."""
    found = {}
    for name in golden.NAMES:
        url = f"sqlite:///{tmp_path_factory.mktemp(name) / 'story.db'}"
        databases.migrate(url)
        with closing(Store(url)) as store:
            found[name] = golden.played(name, store)
    return found


def only(outcome: Outcome) -> IncidentView:
    """The one incident of a story."""
    (view,) = outcome.views
    return view


def links_of(view: IncidentView) -> dict[str, str]:
    """Tiers by the titles of what is linked."""
    titles = {bar.occurrence.id: bar.occurrence.title for bar in view.bars}
    return {titles[link.id]: link.evidence.tier for link in view.incident.links}


def line_of(view: IncidentView, wanted: Callable[[Line], bool]) -> Line:
    """The one line that is meant."""
    (line,) = (line for line in view.lines if wanted(line))
    return line


@pytest.mark.parametrize("name", golden.NAMES)
def test_each_story_reads_as_it_did(played: Outcomes, name: str) -> None:
    """After a change that is meant, `python -m tests.golden` writes the texts anew."""
    assert golden.text(played[name]).splitlines() == golden.path(name).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", ["london-2022", "now-synthetic"])
def test_on_postgresql_it_reads_the_same(postgresql_store: Store, name: str) -> None:
    found = golden.text(golden.played(name, postgresql_store))
    assert found.splitlines() == golden.path(name).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", golden.NAMES)
def test_each_story_gives_its_incidents_and_quarantines_nothing(played: Outcomes, name: str) -> None:
    assert len(played[name].views) == HOW_MANY[name]
    assert played[name].quarantined == ()
    for view in played[name].views:
        assert view.provenance
        assert "{" not in "".join(line.text for line in view.lines)


def test_all_stories_fit_into_one_record_and_a_rebuild_of_it_changes_nothing(sqlite_store: Store) -> None:
    for name in golden.NAMES:
        Player(sqlite_store).play(golden.story(name), golden.LOADED_AT)
    with sqlite_store.reading() as connection:
        before = state_digest(connection)
    config = golden.story("london-2022").config
    configs = [golden.story(name).config for name in golden.NAMES]
    whole = type(config)(
        tuple(site for one in configs for site in one.sites), tuple(source for one in configs for source in one.sources)
    )
    _, incidents = rebuild(sqlite_store, whole, golden.LOADED_AT)
    with sqlite_store.reading() as connection:
        assert state_digest(connection) == before
    assert incidents == sum(HOW_MANY.values())


def test_a_story_stops_where_it_is_told_to(sqlite_store: Store) -> None:
    told = golden.story("london-2022")
    until = datetime(2022, 7, 19, 14, 0, tzinfo=UTC)
    Player(sqlite_store).play(told, until)
    with sqlite_store.reading() as connection:
        view = gather(connection, told.config, "2022-07-19-lon", Asked(until), lambda kind, _: kind)
    assert view is not None
    assert view.incident.status == "acknowledged"
    assert all(line.recorded_at <= until for line in view.lines)


def test_what_is_known_at_a_moment_of_the_whole_story_is_what_was_there_then(
    sqlite_store: Store, postgresql_store: Store
) -> None:
    told = golden.story("london-2022")
    then = datetime(2022, 7, 19, 15, 30, tzinfo=UTC)
    Player(sqlite_store).play(told, then)
    Player(postgresql_store).play(told, golden.LOADED_AT)
    with sqlite_store.reading() as connection:
        live = gather(connection, told.config, "2022-07-19-lon", Asked(then), sentences.sentence)
    with postgresql_store.reading() as connection:
        asked = Asked(golden.LOADED_AT, as_of=then)
        looking_back = gather(connection, told.config, "2022-07-19-lon", asked, sentences.sentence)
    assert live is not None
    assert looking_back is not None
    assert looking_back.incident == live.incident
    told_then, told_back = ([(x.happened_at, x.text, x.late) for x in v.lines] for v in (live, looking_back))
    assert told_back == told_then


# --- Sacramento -----------------------------------------------------------------------------------------------------


def test_sacramento_is_opened_by_a_person_with_a_range_for_its_start(played: Outcomes) -> None:
    view = only(played["sacramento-2022"])
    assert view.incident.opened_by == "user:archivist"
    assert view.incident.members.alerts == 0
    day = datetime(2022, 9, 5, 7, tzinfo=UTC)
    assert view.incident.impact_started_at == Moment(day, day + timedelta(days=1))
    opened = line_of(view, lambda line: line.kind == "opened")
    assert (opened.happened_at, opened.happened_until) == (day, day + timedelta(days=1))
    resolve = next(m for m in view.measurements if m.name == "time_to_resolve")
    assert (resolve.seconds, resolve.seconds_max) == (259_200.0, 648_600.0)


def test_sacramento_is_linked_with_the_heat_and_not_with_a_grid_that_is_not_its_own(played: Outcomes) -> None:
    assert links_of(only(played["sacramento-2022"])) == {"Excessive Heat Warning, Sacramento Valley": "coincident"}


def test_sacramento_shows_a_temperature_that_is_called_reconstructed(played: Outcomes) -> None:
    (series,) = only(played["sacramento-2022"]).series
    assert (series.basis, series.limit, series.limit_name) == ("reconstructed", 43.0, "dry_bulb_c")


# --- London ---------------------------------------------------------------------------------------------------------


def test_london_is_linked_with_both_providers_and_with_the_heat(played: Outcomes) -> None:
    links = links_of(only(played["london-2022"]))
    assert set(links) == {
        "Google Cloud, europe-west2-a",
        "Oracle Cloud, UK South (London)",
        "Met Office red warning, extreme heat",
        "UKHSA heat-health alert, level 4",
    }
    assert set(links.values()) <= {"plausible", "strong"}


def test_london_is_attributed_by_a_person_in_googles_own_words(played: Outcomes) -> None:
    view = only(played["london-2022"])
    (said,) = (link for link in view.incident.links if link.state == "attributed")
    assert said.judged_by == "user:ben"
    assert said.speaker == "Google Cloud, incident report of 29 July 2022, 14:00 PDT"
    assert said.quote is not None
    assert "extraordinarily high outside temperatures" in said.quote


def test_london_keeps_the_senders_minutes(played: Outcomes) -> None:
    view = only(played["london-2022"])
    posts = [line for line in view.lines if line.kind == "post" and "Google" in line.text]
    assert datetime(2022, 7, 19, 17, 13, tzinfo=UTC) in [post.happened_at for post in posts]
    alerts = [bar.occurrence for bar in view.bars if bar.relation == "alert"]
    assert datetime(2022, 7, 19, 13, 42, tzinfo=UTC) in [alert.starts_at for alert in alerts]


def test_london_marks_the_alert_that_came_hours_late(played: Outcomes) -> None:
    view = only(played["london-2022"])
    late = [line for line in view.lines if line.kind == "alert" and line.late]
    assert [line.text for line in late] == ["Battery room above 30 °C"]
    assert late[0].recorded_at - late[0].happened_at > timedelta(hours=4)


def test_london_keeps_the_range_in_which_a_provider_began(played: Outcomes) -> None:
    view = only(played["london-2022"])
    oracle = line_of(view, lambda line: line.kind == "provider_incident" and "Oracle" in line.text)
    assert oracle.happened_until is not None
    assert oracle.happened_until - oracle.happened_at == timedelta(hours=6)
    google = line_of(view, lambda line: line.kind == "provider_incident" and "Google" in line.text)
    assert (google.happened_at, google.corrected) == (datetime(2022, 7, 19, 13, 33, tzinfo=UTC), True)


# --- Facebook and now -----------------------------------------------------------------------------------------------


def test_facebook_is_not_linked_with_a_warning_that_is_far_away(played: Outcomes) -> None:
    view = only(played["facebook-2021"])
    assert links_of(view) == {"Facebook, Instagram, WhatsApp, Messenger unreachable": "context"}
    assert not [line for line in view.lines if "Flash Flood" in line.text]


def test_now_has_one_over_one_acknowledged_and_one_open(played: Outcomes) -> None:
    assert [(v.incident.sites, v.incident.status) for v in played["now-synthetic"].views] == [
        (("iad",), "resolved"),
        (("fra",), "acknowledged"),
        (("iad",), "open"),
    ]
    assert played["now-synthetic"].views[2].incident.opened_by == "rule:burst@1"


def test_no_line_of_ours_says_that_one_thing_brought_about_another(played: Outcomes) -> None:
    for outcome in played.values():
        for view in outcome.views:
            ours = [line.text for line in view.lines if line.actor.startswith("rule:")]
            ours += [reason.sentence for link in view.incident.links for reason in link.evidence.reasons]
            assert not [text for text in ours if "cause" in text.lower() or "because" in text.lower()]
