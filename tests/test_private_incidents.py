"""Private incidents: to whom they are not shown they are not there, whatever is asked."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from incidents import moves, privacy, private_acts, shares
from incidents.entries import ENTRY, INCIDENT, MEMBER
from incidents.notices import outbox
from incidents.notices.destinations import Destination
from incidents.privacy import ALL, STRANGER, Asker
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import Store
from incidents.tables import METADATA
from incidents.undoing import undo
from incidents.views import lists, occurrence_view, overview
from service.identity.access import Access
from tests import routed
from tests.senders import HOOK_KEY, KEY, ago, alert, message, served, text
from tests.servers import Answer, Barograph
from tests.world import World, firing

ALICE = Asker(frozenset({"user:alice"}))
SRE = Asker(frozenset({"user:bob", "group:sre"}))
PRIVATE = {"private": True, "seen_by": ["alice", "group:sre"], "reason": "a customer's name"}


# --- the gate --------------------------------------------------------------------------------------------------------


def two(store: Store) -> tuple[World, str, str]:
    """A world with an incident that is public and one that is private."""
    world = World(store).at("10:00").alertmanager(firing("db-1"), firing("db-2", site="iad"))
    public, hidden = "2026-03-02-smf", "2026-03-02-iad"
    world.act(lambda acting: private_acts.change(acting, hidden, PRIVATE))
    return world, public, hidden


NUMBER = sa.select(sa.literal(1).label("n")).subquery()
VIEWER = METADATA.tables["private_viewer"]


def seen(store: Store, asker: Asker | None) -> list[str]:
    with store.reading(asker) as connection:
        return [one.id for one in lists.list_incidents(connection, lists.IncidentFilter(), 50)]


def test_a_reading_transaction_finds_nothing_of_what_is_hidden_from_its_asker(store: Store) -> None:
    _, public, hidden = two(store)
    for asker in (STRANGER, Asker(frozenset({"user:mallory", "group:sr", "alice", ""}))):
        assert seen(store, asker) == [public]
        with store.reading(asker) as connection:
            for table, column in ((INCIDENT, "id"), (ENTRY, "incident_id"), (MEMBER, "incident_id")):
                other, aliased = table.c[column], table.alias("other")
                for query in (
                    sa.select(other),
                    sa.select(aliased.c[column]),
                    sa.select(sa.select(other).subquery()),
                    sa.select(sa.literal(1))
                    .where(sa.select(other).where(other == hidden).exists())
                    .add_columns(aliased.c[column]),
                    sa.union_all(sa.select(other), sa.select(aliased.c[column])),
                    sa.select(INCIDENT.c.id).outerjoin(aliased, aliased.c[column] == INCIDENT.c.id),
                    sa.select(sa.select(other).cte("all").c[column]),
                    # A join within a join stands in brackets.
                    sa.select(other).select_from(NUMBER.outerjoin(table.join(VIEWER, sa.true()), sa.true())),
                ):
                    assert hidden not in set(connection.execute(query).scalars()), str(query)
            count = connection.execute(sa.select(sa.func.count()).select_from(INCIDENT)).scalar_one()
            assert count == 1
    for who in (None, ALL, ALICE, SRE):
        assert set(seen(store, who)) == {public, hidden}


def test_what_is_text_cannot_be_asked_where_something_is_hidden(sqlite_store: Store) -> None:
    two(sqlite_store)
    with sqlite_store.reading(STRANGER) as connection, pytest.raises(TypeError, match="text"):
        connection.execute(sa.text("SELECT id FROM incident"))
    with sqlite_store.reading(ALICE) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM incident")).scalar_one() == 2


def test_queries_of_one_form_keep_their_own_values_and_their_own_asker(store: Store) -> None:
    """What is narrowed once for a form must not answer with another's limit, list, words or names."""
    _, public, hidden = two(store)
    with store.reading() as connection:
        ids = sorted(connection.execute(sa.select(INCIDENT.c.id)).scalars())
    others = sa.bindparam("others")

    def asked(connection: sa.Connection, names: list[str], least: str, most: int) -> list[list[str]]:
        own = INCIDENT.c.id.in_(names)
        shared = sa.literal(least)
        plain = sa.select(INCIDENT.c.id).where(own, INCIDENT.c.id >= least).order_by(INCIDENT.c.id).limit(most)
        twice = sa.select(INCIDENT.c.id).where(own, INCIDENT.c.id >= shared, sa.func.length(shared) > 0)
        inner = sa.select(ENTRY.c.incident_id).where(ENTRY.c.incident_id.in_(names)).distinct()
        within = sa.select(INCIDENT.c.id).where(INCIDENT.c.id.in_(inner), INCIDENT.c.id >= least)
        both = sa.union(sa.select(INCIDENT.c.id).where(own), inner)
        given = sa.select(INCIDENT.c.id).where(INCIDENT.c.id == others)
        queries = (plain, twice.order_by(INCIDENT.c.id).limit(most), within, both)
        found = [sorted(connection.execute(query).scalars()) for query in queries]
        return [*found, list(connection.execute(given, {"others": names[0]}).scalars()) if names else []]

    for asker, shown in ((STRANGER, {public}), (ALICE, set(ids)), (SRE, set(ids)), (STRANGER, {public})):
        for names in ([public], [hidden], ids, ids[::-1], []):
            for least in ("", public, "9"):
                for most in (1, 5):
                    right = sorted(name for name in names if name in shown and name >= least)
                    every = sorted(set(names) & shown)
                    one = [name for name in names[:1] if name in shown]
                    with store.reading(asker) as connection:
                        found = asked(connection, names, least, most)
                    if least:
                        assert found == [right[:most], right[:most], right, every, one], (asker, names, least, most)
                    else:
                        assert found[0] == right[:most]


def test_every_table_that_names_incidents_is_behind_the_gate() -> None:
    """By its foreign name or by one that ends so: a column that names incidents otherwise is found here."""
    known = privacy.naming()
    for table in METADATA.tables.values():
        named = [column.name for column in table.c if "incident" in column.name]
        assert not named or table.name in known or table.name == privacy.VIEWER.name, (table.name, named)
        assert not named or named == ["incident_id"], (table.name, named)
    assert {"incident", "entry", "member", "member_count", "share", "notice", "hold", "postmortem_revision"} <= set(
        known
    )


def test_nobody_pays_for_the_gate_from_whom_nothing_is_hidden(sqlite_store: Store) -> None:
    two(sqlite_store)
    asked: list[str] = []
    sa.event.listen(sqlite_store._read, "before_cursor_execute", lambda *given: asked.append(given[2]))
    seen(sqlite_store, ALICE)
    assert sum("private_viewer" in one for one in asked) == 1
    seen(sqlite_store, ALL)
    assert sum("private_viewer" in one for one in asked) == 1


# --- acts ------------------------------------------------------------------------------------------------------------


def test_making_private_is_an_entry_and_undone_by_another(store: Store) -> None:
    world, public, hidden = two(store)
    (entry,) = (one for one in world.log(hidden) if one.kind == privacy.CHANGED)
    assert entry.actor == "user:alice"
    assert entry.params == {"private": True, "seen_by": ["group:sre", "user:alice"], "reason": "a customer's name",
                            "was": {"private": False, "seen_by": []}}  # fmt: skip
    assert "Made private: a customer's name" in world.timeline(hidden)
    world.at("10:01").act(lambda acting: undo(acting, hidden, entry.id))
    assert set(seen(store, STRANGER)) == {public, hidden}
    with pytest.raises(ConflictError, match="since"):
        world.act(lambda acting: undo(acting, hidden, entry.id))
    back = world.log(hidden)[-1]
    world.at("10:02").act(lambda acting: undo(acting, hidden, back.id))
    assert seen(store, STRANGER) == [public]


def test_a_rebuild_hides_the_same(store: Store) -> None:
    world, public, _ = two(store)
    before = world.digest()
    assert world.rebuilt() == before
    assert seen(store, STRANGER) == [public]


def test_whoever_makes_it_private_is_not_shut_out_and_who_may_not_see_it_cannot_act(store: Store) -> None:
    world, public, hidden = two(store)
    from incidents.acts import Acting
    from incidents.entries import Changes

    def acts(asker: Asker, who: str) -> Acting:
        return Acting(world.config, Changes(store, connection, world.now), f"user:{who}", asker)

    with store.writing() as connection:
        done = private_acts.change(acts(Asker(frozenset({"user:carol"})), "carol"), public, {"private": True})
        assert done.seen_by == ("user:carol",)
    with store.writing() as connection:
        mallory = acts(Asker(frozenset({"user:mallory"})), "mallory")
        with pytest.raises(NotFoundError) as told:
            mallory.status(hidden, {"status": "resolved"})
        with pytest.raises(NotFoundError) as unknown:
            mallory.status("nothing", {"status": "resolved"})
        assert str(told.value) == str(unknown.value).replace("nothing", hidden)
        for deed in (
            lambda: private_acts.change(mallory, hidden, {"private": False}),
            lambda: moves.merge(mallory, hidden, public),
            lambda: mallory.note(hidden, {"text": "x"}),
        ):
            with pytest.raises(NotFoundError):
                deed()
    for wrong in ({}, {"private": "yes"}, {"private": True, "seen_by": "alice"}, {"private": True, "seen_by": [1]}):
        with pytest.raises(ValueError, match=r"private|seen_by"):
            world.act(lambda acting, wrong=wrong: private_acts.change(acting, public, wrong))  # type: ignore[misc]  # bound at once


def test_what_is_split_off_or_merged_stays_as_private(store: Store) -> None:
    world, public, hidden = two(store)
    with pytest.raises(ConflictError, match="same people"):
        world.act(lambda acting: moves.merge(acting, hidden, public))
    world.alertmanager(firing("db-3", site="iad"))
    part = world.act(lambda acting: moves.split(acting, hidden, [world.alert("db-3")]))
    assert part.seen_by == ("group:sre", "user:alice")
    assert seen(store, STRANGER) == [public]
    world.act(lambda acting: moves.merge(acting, part.id, hidden))
    world.act(lambda acting: private_acts.change(acting, hidden, {"private": False}))
    with store.reading(STRANGER) as connection:
        assert privacy.viewers(connection, [part.id, hidden]) == {}
    with pytest.raises(ConflictError, match="merged into"):
        world.act(lambda acting: private_acts.change(acting, part.id, PRIVATE))


def alerts_seen(store: Store, asker: Asker | None) -> set[str]:
    with store.reading(asker) as connection:
        return {one.title for one in lists.list_occurrences(connection, lists.OccurrenceFilter(kind="alert"), 50)}


def test_its_alerts_are_hidden_with_it_unless_another_incident_shows_them(store: Store) -> None:
    world, public, hidden = two(store)
    mine, theirs = world.alert("db-1"), world.alert("db-2")
    both = alerts_seen(store, None)
    assert alerts_seen(store, STRANGER) == alerts_seen(store, Asker(frozenset({"user:mallory"}))) != both
    assert alerts_seen(store, ALL) == alerts_seen(store, ALICE) == alerts_seen(store, SRE) == both
    with store.reading(STRANGER) as connection:
        assert privacy.hidden_alerts(connection, [mine, theirs, "x"]) == {theirs}
        assert occurrence_view.read_occurrence(connection, world.config, theirs) is None
        assert occurrence_view.read_occurrence(connection, world.config, mine)
        strips = overview.now_view(connection, world.config, world.now, "UTC").strips
        assert {one.site.name for one in strips if one.density} == {"smf"}
    world.act(lambda acting: moves.regroup(acting, public, [theirs], []))
    assert alerts_seen(store, STRANGER) == both, "it is part of what is public too"
    world.act(lambda acting: moves.regroup(acting, public, [], [theirs]))
    assert alerts_seen(store, STRANGER) != both
    world.act(lambda acting: moves.regroup(acting, hidden, [], [theirs]))
    assert alerts_seen(store, STRANGER) == both, "it is part of nothing private any more"


def test_who_may_not_see_an_alert_cannot_attach_or_link_it(store: Store) -> None:
    world, public, _ = two(store)
    from incidents.acts import Acting
    from incidents.entries import Changes

    theirs = world.alert("db-2")
    with store.writing() as connection:
        changes = Changes(store, connection, world.now)
        mallory = Acting(world.config, changes, "user:mallory", Asker(frozenset({"user:mallory"})))
        for name in (theirs, "x" * len(theirs)):
            with pytest.raises(NotFoundError, match=name[:40]):
                moves.regroup(mallory, public, [name], [])
            with pytest.raises(NotFoundError, match=name[:40]):
                mallory.link(public, {"occurrence": name})
        alice = Acting(world.config, changes, "user:alice", ALICE)
        assert moves.regroup(alice, public, [theirs], []).members.alerts == 2


def test_links_end_and_destinations_are_not_told_unless_they_say_so(store: Store) -> None:
    from dataclasses import replace

    world = World(store)
    told = Destination("wall", "webhook"), Destination("board", "webhook", private=True)
    world.config = replace(world.config, destinations=told)

    def waiting() -> list[tuple[str, str]]:
        with store.reading() as connection:
            return [(one.destination, one.what) for one in outbox.listed(connection, state="waiting")]

    incident = world.at("10:00").act(lambda acting: acting.open({"title": "Breach", "severity": "critical"})).id
    assert sorted(waiting()) == [("board", "opened"), ("wall", "opened")]
    with store.writing() as connection:
        share = shares.make(connection, incident, "user:alice", world.now, shares.LASTS)
    assert share
    world.act(lambda acting: private_acts.change(acting, incident, PRIVATE))
    assert waiting() == [("board", "opened")]
    world.at("10:05").status("acknowledged", incident=incident)
    assert sorted(waiting()) == [("board", "opened"), ("board", "status_changed")]
    with store.reading() as connection:
        assert all(one.revoked_at for one in shares.listed(connection, incident))
        (kept,) = outbox.listed(connection, destination="wall")
    assert kept.state == "dead"
    assert kept.attempts[-1].reason == outbox.WITHHELD


# --- every route, as a stranger --------------------------------------------------------------------------------------

WORD = "Zugzwang"
"""In the title, an alert, a note, a section and a saved view of what is private, and in nothing else."""


@dataclass(slots=True)
class Hidden:
    """A service with a private incident, and what it is asked with."""

    service: Barograph
    incident: str
    public: str
    values: dict[str, Sequence[str]]
    tokens: dict[str, str] = field(default_factory=dict)

    def marks(self) -> tuple[str, ...]:
        """What tells of the incident: its id, its words, and when it was opened in a list."""
        return (self.incident, WORD, WORD.lower())


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hidden]:
    with served(tmp_path_factory.mktemp("private")) as service:
        service.read(service.send("am", message(alert("Public", ago(minutes=30), datacenter="smf1")), KEY))
        service.read(service.send("am", message(alert(WORD, ago(minutes=20), datacenter="iad1")), KEY))
        theirs = {"kind": "provider_incident", "key": "p", "title": "Provider down", "status": "firing",
                  "starts_at": text(ago(minutes=25))}  # fmt: skip
        service.read(service.send("hook", theirs, HOOK_KEY))
        incident = service.json("/api/v1/incidents?site=iad")["items"][0]["id"]
        public = service.json("/api/v1/incidents?site=smf")["items"][0]["id"]
        path = f"/api/v1/incidents/{incident}"
        provider = service.json("/api/v1/occurrences?kind=provider_incident")["items"][0]["id"]
        member = service.json(f"{path}/alerts")["items"][0]
        service.call("PATCH", path, {"title": f"{WORD} in Ashburn", "owner": WORD}, headers={"If-Match": "*"})
        entry = service.post(f"{path}/entries", {"text": f"{WORD} was seen"}).json()["entry"]
        service.post(f"{path}/links", {"occurrence": provider, "note": WORD})
        service.call("PUT", f"{path}/postmortem", {"sections": {"summary": WORD}}, headers={"If-Match": "*"})
        view = service.post("/api/v1/views", {"name": WORD, "address": f"/incidents/{incident}", "shared": True}).json()
        with closing(Store(f"sqlite:///{service.home / 'barograph.db'}")) as store:
            access, people = (
                Access(store, admin_token=None, secret_key=b""),
                {"alice": "responder", "mallory": "responder"},
            )
            tokens = {
                name: access.make("token", role=role, name=name)[0]
                for name, role in (people | {"victor": "viewer"}).items()
            }
        assert service.post(f"{path}/privacy", {"private": True, "seen_by": ["alice"]}).json()["private"] is True
        share = service.post(f"{path}/shares", {}).json()
        assert "private" in share["warning"]
        receipts = [found["receipt"] for found in service.json("/api/v1/deliveries")["items"]]
        for token in tokens.values():
            service.until(lambda token=token: service.get("/api/v1/sites", token=token).status == 200)  # type: ignore[misc]  # bound at once
        values: dict[str, Sequence[str]] = {
            "incident": [incident],
            "entry": [str(entry)],
            "link": [provider],
            "share": [share["id"]],
            "occurrence": [provider, member["id"]],
            "receipt": receipts,
            "source": ["am", "hook"],
            "view": [str(view["id"])],
            "card": ["lasted", "again", "days"],
            "format": ["json", "svg", "md", "html", "ics", "csv"],
            "notice": ["1"],
            "destination": ["wall"],
            "proof": [share["url"].rpartition("/")[2]],
            "name": ["barograph.css"],
            "key": ["x"],
            "job": ["x"],
            "account": ["nobody"],
            "session": ["x"],
            "credential": ["x"],
            "what": ["disable"],
            "template": ["standard"],
        }
        yield Hidden(service, incident, public, values, tokens)


ASKED = (
    "",
    "?q=Zugzwang",
    "?limit=500",
    "?ids={incident},{public}",
    "?incident={incident}",
    "?from=now-30d",
    "?state=quarantined",
)
"""What every route is asked with; a parameter that it does not know is as good as none."""
OPEN = (
    "/livez",
    "/readyz",
    "/sign-in",
    "/static/{name}",
    "/shared/{incident}/{proof}",
    "/shared/{incident}/{proof}/picture.png",
)
"""For who is not signed in; a link with a preview was made on purpose, with a warning."""


def gets() -> list[str]:
    return [
        path for method, path in routed.routes() if method == "GET" and path not in OPEN and path != "/api/v1/stream"
    ]


def alike(answer: Answer, name: str) -> str:
    """The answer without the name that was asked for, and without what differs from one page to the next."""
    return re.sub(r'value="[0-9a-f]{128}"', "", answer.text).replace(name, "")


def unheard(answer: Answer, asked: str, hidden: Hidden) -> str:
    """The answer without what the asker said themselves."""
    told = answer.text + str(answer.headers)
    for given in {asked, asked.partition("?")[2], hidden.incident, WORD}:
        if given and given in asked:
            told = told.replace(given, "")
    return told


@pytest.mark.parametrize("who", ["mallory", "victor"])
def test_to_a_stranger_it_is_not_there_by_whatever_is_read(hidden: Hidden, who: str) -> None:
    looked, marks = 0, hidden.marks()
    for template in gets():
        for query in ASKED if not routed.names_in(template) else ASKED[:1]:
            for path in routed.filled(template, hidden.values):
                asked = path + query.format(incident=hidden.incident, public=hidden.public)
                answer = hidden.service.get(asked, token=hidden.tokens[who])
                looked += 1
                if "{incident}" in template:
                    # A form's way to a file is named before anything is looked up.
                    assert answer.status in (404, 403, 303), f"{asked}: {answer.status}"
                    other = hidden.service.get(
                        asked.replace(hidden.incident, "nothing-of-this-name"), token=hidden.tokens[who]
                    )
                    assert answer.status == other.status, asked
                    assert alike(answer, hidden.incident) == alike(other, "nothing-of-this-name"), asked
                assert answer.status < 500, f"{asked}: {answer.text[:300]}"
                told = unheard(answer, asked, hidden)
                found = [mark for mark in marks if mark in told and mark not in asked]
                assert not found, f"{asked} tells of {found}"
    assert looked > 250


def test_what_is_asked_with_its_name_does_not_say_that_it_is_there(hidden: Hidden) -> None:
    """Where the asker names it, the answer is that for a name of nothing."""
    for path in (
        "/compare?ids={}",
        "/api/v1/notices?incident={}",
        "/incidents?q={}",
        "/api/v1/incidents?q={}",
        "/destinations?incident={}",
    ):
        answers = [
            hidden.service.get(path.format(name), token=hidden.tokens["mallory"])
            for name in (hidden.incident, "x" * len(hidden.incident))
        ]
        assert answers[0].status == answers[1].status, path
        assert hidden.incident not in unheard(answers[0], path.format(hidden.incident), hidden)


def test_to_a_stranger_it_is_not_there_by_whatever_is_written(hidden: Hidden) -> None:
    service, before = hidden.service, hidden.service.json(f"/api/v1/incidents/{hidden.incident}")
    bodies = (
        {},
        {"status": "resolved"},
        {"text": "x"},
        {"private": False},
        {"into": hidden.public},
        {"into": hidden.incident},
        {"verdict": "confirmed"},
        {"occurrence": hidden.values["link"][0]},
        {"entry": int(hidden.values["entry"][0])},
        {"title": "x"},
        {"sections": {"summary": "x"}},
        {"alerts": ["x"]},
        {"add": [], "remove": []},
    )
    looked = 0
    for method, template in routed.routes():
        if method == "GET" or "{incident}" not in template or not template.startswith("/api/"):
            continue
        for path in routed.filled(template, hidden.values):
            for body in bodies:
                ours = service.call(method, path, body, token=hidden.tokens["mallory"], headers={"If-Match": "*"})
                other = path.replace(hidden.incident, "nothing-of-this-name")
                theirs = service.call(method, other, body, token=hidden.tokens["mallory"], headers={"If-Match": "*"})
                assert ours.status == theirs.status in (400, 404), (
                    f"{method} {path} {body}: {ours.status} {theirs.status}"
                )
                assert ours.text.replace(hidden.incident, "") == theirs.text.replace("nothing-of-this-name", ""), path
                looked += 1
    assert looked > 150
    # Into it, from one that is seen.
    merged = service.post(
        f"/api/v1/incidents/{hidden.public}/merge", {"into": hidden.incident}, token=hidden.tokens["mallory"]
    )
    assert merged.status == 404
    assert service.json(f"/api/v1/incidents/{hidden.incident}") == before


def test_who_is_named_and_who_is_an_admin_see_it(hidden: Hidden) -> None:
    for token in (hidden.tokens["alice"], None):
        given = {} if token is None else {"token": token}
        page = hidden.service.get(f"/incidents/{hidden.incident}", **given)
        assert page.status == 200
        assert "Private to" in page.text
        assert "alice, admins" in page.text
        assert WORD in hidden.service.get("/incidents", **given).text
        assert WORD in hidden.service.get("/views", **given).text
        assert "This incident is private" in hidden.service.get(f"/incidents/{hidden.incident}/share", **given).text


def test_its_alerts_are_not_offered_to_another_incident(hidden: Hidden) -> None:
    path = f"/incidents/{hidden.public}/regroup"
    assert WORD in hidden.service.get(path, token=hidden.tokens["alice"]).text
    assert WORD not in hidden.service.get(path, token=hidden.tokens["mallory"]).text


def test_a_stream_tells_only_who_may_see_it(hidden: Hidden) -> None:
    heard: dict[str, list[str]] = {"alice": [], "mallory": []}
    listening = threading.Barrier(3)

    def listen(who: str) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", hidden.service.port, timeout=20)) as connection:
            headers = {"Authorization": f"Bearer {hidden.tokens[who]}", "Last-Event-ID": "0"}
            connection.request("GET", "/api/v1/stream", headers=headers)
            answer = connection.getresponse()
            listening.wait(20)
            while not heard[who] or "incidents" not in heard[who]:
                line = answer.readline().decode()
                assert line
                if line.startswith("data: "):
                    heard[who] += json.loads(line[6:])["topics"]

    threads = [threading.Thread(target=listen, args=(who,)) for who in heard]
    for thread in threads:
        thread.start()
    listening.wait(20)
    note = {"text": "for the stream"}
    assert hidden.service.post(f"/api/v1/incidents/{hidden.incident}/entries", note).status == 201
    assert hidden.service.post("/api/v1/incidents", {"title": "The last thing", "severity": "warning"}).status == 201
    for thread in threads:
        thread.join(20)
    assert f"incident:{hidden.incident}" in heard["alice"]
    assert f"incident:{hidden.incident}" not in heard["mallory"]
    assert "incidents" in heard["mallory"]


def test_metrics_and_the_gauge_of_incidents_count_what_their_asker_sees(hidden: Hidden) -> None:
    def count(token: str) -> float:
        lines = hidden.service.get("/metrics", token=token).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("barograph_incidents{"))

    assert count(hidden.tokens["alice"]) == count(hidden.tokens["victor"]) + 1
