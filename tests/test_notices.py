"""Destinations are told what they want to hear, once, in order, until an end; history and repetition tell nobody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from dashboards import notices
from incidents import deliveries, moves
from incidents.adapters import Adapter, adapters
from incidents.config import Config, ConfigError, config_of
from incidents.deliveries import Arrival
from incidents.model import Delivery, UnrecognisedError
from incidents.notices import outbox
from incidents.notices.destinations import LONGEST_ASKED, MOST_ATTEMPTS, PAUSES, Destination, Notice, pause_after
from incidents.notices.outbox import ATTEMPT, Came
from incidents.proofs.signatures import is_standard_webhook, standard_headers
from incidents.spoken import TEST_HEADER
from incidents.store import Store
from tests.conftest import StartBarograph
from tests.receiver import Receiver, receiver, until
from tests.servers import Barograph
from tests.world import SITES, SOURCES, World, firing, resolved

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = {"name": "pager", "kind": "webhook", "url": "https://hooks.example/in?key=abc", "secret": SECRET}
CHAT = {"name": "chat", "kind": "slack", "url": "https://hooks.slack.example/services/T0/B0/XyZ"}
FAILED = Came("failed", 500, "answered 500")
SENT = Came("sent", 200, "ok", 12)


def configured(*destinations: dict[str, Any]) -> Config:
    return config_of({"sites": SITES, "sources": SOURCES, "destinations": list(destinations)}, adapters())


def world_of(store: Store, *destinations: dict[str, Any]) -> World:
    return World(store, configured(*(destinations or (HOOK,))))


def told(store: Store, **wanted: Any) -> list[Notice]:
    """The notices, oldest first."""
    with store.reading() as connection:
        return outbox.listed(connection, **wanted)[::-1]


def whats(store: Store, **wanted: Any) -> list[str]:
    return [one.what for one in told(store, **wanted)]


# What is configured


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "fax"}, "kind: one of webhook, slack"),
        ({"url": None}, "url: is missing"),
        ({"url": "https://me:secret@host/x"}, "url: an http or https address without"),
        ({"url": "ftp://host/x"}, "url: an http or https address"),
        ({"url": "https://[::1/x"}, "url: an http or https address"),
        ({"secret": None}, "secret: is missing: a webhook is signed"),
        ({"kind": "slack"}, "secret: is for webhooks alone"),
        ({"what": ["closed"]}, "what: of opened, status_changed, resolved"),
        ({"severity_at_least": "loud"}, "severity_at_least: 'loud' is not a severity"),
        ({"colour": "red"}, "colour: is not a key"),
    ],
)
def test_a_destination_that_cannot_be_used_is_refused(change: dict[str, Any], said: str) -> None:
    row = {k: v for k, v in {**HOOK, **change}.items() if v is not None}
    with pytest.raises(ConfigError, match=said) as refused:
        configured(row)
    assert "secret@" not in str(refused.value)


def test_the_configuration_keeps_neither_address_nor_secret() -> None:
    (one,) = configured(HOOK).destinations
    assert one == Destination("pager", "webhook", "hooks.example")
    assert "key=abc" not in repr(configured(HOOK))


# When it is tried again


@given(failures=st.integers(1, 40), jitter=st.floats(0, 1), asked=st.integers(0, 10**7))
def test_pauses_have_an_end_and_are_never_shorter_than_asked(failures: int, jitter: float, asked: int) -> None:
    pause = pause_after(failures, jitter, timedelta(seconds=asked))
    assert (pause is None) == (failures >= MOST_ATTEMPTS)
    if pause is not None:
        assert min(timedelta(seconds=asked), LONGEST_ASKED) <= pause <= max(PAUSES[failures - 1] * 1.2, LONGEST_ASKED)


def test_the_last_attempt_is_between_15_and_20_hours_after_the_first() -> None:
    pauses = [[pause_after(n, jitter) or timedelta() for n in range(1, MOST_ATTEMPTS)] for jitter in (0.0, 1.0)]
    least, most = (sum(each, timedelta()) for each in pauses)
    assert timedelta(hours=15) < least < most < timedelta(hours=20)


# What is told


def test_opened_changed_and_resolved_are_told_with_the_decision(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1"))
    assert whats(store) == ["opened"]
    world.at("10:05").status("acknowledged").status("acknowledged")
    world.at("10:06").act(lambda acting: acting.note(world.only().id, {"text": "looking"}))
    world.at("10:20").alertmanager(resolved("db-1")).at("11:00").at("18:00")
    assert whats(store) == ["opened", "status_changed", "status_changed", "resolved"]
    opened, acknowledged, mitigated, over = told(store)
    assert [one.facts["status"] for one in told(store)] == ["open", "acknowledged", "mitigated", "resolved"]
    assert (opened.facts["severity"], opened.facts["sites"]) == ("critical", ["smf"])
    assert (acknowledged.facts["was"], mitigated.facts["was"], over.facts["was"]) == (
        "open",
        "acknowledged",
        "mitigated",
    )


def test_each_destination_hears_what_it_wants(store: Store) -> None:
    world = world_of(
        store,
        HOOK | {"name": "all"},
        HOOK | {"name": "ends", "what": ["resolved"]},
        HOOK | {"name": "iad", "sites": ["iad"]},
        CHAT | {"name": "grave", "severity_at_least": "critical"},
    )
    world.at("10:00").alertmanager(*(firing(f"db-{n}", "warning") for n in range(5)))
    world.act(lambda acting: acting.status(world.only().id, {"status": "resolved"}))
    by_name = {name: whats(store, destination=name) for name in ("all", "ends", "iad", "grave")}
    assert by_name == {"all": ["opened", "resolved"], "ends": ["resolved"], "iad": [], "grave": []}


def test_rebuilding_rereading_and_history_tell_nobody(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1"))
    assert len(told(store)) == 1
    world.rebuilt()
    read = world.adapters["alertmanager"]
    world.reread({**world.adapters, "alertmanager": replace(read, version=read.version + 1)})
    assert len(told(store)) == 1
    # An incident of last week that somebody brings in today: it is opened, and all it does is silent.
    world.at("+7 10:00").alertmanager(resolved("old-1", site="iad", since="10:30", until="10:40"))
    assert len(world.incidents()) == 2
    assert len(told(store)) == 1


def refused(known: Mapping[str, Adapter]) -> dict[str, Adapter]:
    """The adapters with an older one that cannot read alerts yet."""

    def refuse(_delivery: Delivery) -> list[Any]:
        raise UnrecognisedError("not yet")

    better = known["alertmanager"]
    return {**known, "alertmanager": replace(better, version=better.version - 1, normalise=refuse)}


def test_what_only_a_better_adapter_reads_is_told_to_nobody(store: Store) -> None:
    world = world_of(store).at("10:00")
    known, world.adapters = world.adapters, refused(world.adapters)
    world.alertmanager(firing("db-1"))
    assert world.incidents() == []
    world.reread(known)
    assert len(world.incidents()) == 1
    assert told(store) == []
    world.status("acknowledged")
    assert whats(store) == ["status_changed"]


def test_what_is_new_is_told_beside_what_is_read_again(store: Store) -> None:
    world = world_of(store).at("10:00")
    known, world.adapters = world.adapters, refused(world.adapters)
    world.alertmanager(firing("db-1", site="iad"))
    world.adapters = known
    with store.writing() as connection:
        deliveries.queue_again(connection, sa.true())
    world.deliver("am-2", world.notification(firing("db-2")))
    world.work()
    assert len(world.incidents()) == 2
    assert [one.facts["sites"] for one in told(store)] == [["smf"]]


def test_a_test_delivery_tells_nobody(sqlite_store: Store) -> None:
    world = world_of(sqlite_store).at("10:00")
    body = orjson.dumps(world.notification(firing("db-1")))
    for number, headers in enumerate(({TEST_HEADER: "1"}, {}), 1):
        with sqlite_store.intake() as connection:
            deliveries.append(connection, [Arrival(number, "am", world.now, headers, body)])
        world.work()
        assert len(told(sqlite_store)) == number - 1


def test_a_status_withdrawn_is_a_status_changed(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1")).status("acknowledged")
    entry = next(e for e in world.log() if e.kind == "status_changed")
    world.act(lambda acting: acting.retract(world.only().id, entry.id))
    assert [(one.what, one.facts["status"]) for one in told(store)][-1] == ("status_changed", "open")


def test_merged_incidents_are_silent(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1")).alertmanager(firing("db-2", site="iad"))
    first, second = (one.id for one in world.incidents())
    world.act(lambda acting: moves.merge(acting, second, first))
    world.act(lambda acting: acting.status(second, {"status": "resolved"}))
    assert whats(store, incident=second) == ["opened"]


# Turns


def claimed(store: Store, at: datetime, destination: str = "pager") -> Notice | None:
    with store.writing() as connection:
        return outbox.claim(connection, destination, at)


def finished(store: Store, notice: Notice, came: Came, at: datetime) -> str | None:
    with store.writing() as connection:
        return outbox.finish(connection, notice, came, at, jitter=0.0)


def test_a_receiver_that_is_down_for_an_hour_is_told_in_order(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1")).status("acknowledged")
    now, heard = world.now, []
    while waiting := told(store, state="waiting"):
        while notice := claimed(store, now):
            is_up = now >= world.now + timedelta(hours=1)
            heard += [notice.what] if is_up else []
            finished(store, notice, SENT if is_up else FAILED, now)
        # What waits behind another is due already, and its turn comes with that one's.
        now = min((one.due_at for one in waiting if one.due_at > now), default=now + timedelta(seconds=1))
    assert heard == ["opened", "status_changed"]
    first, second = told(store)
    assert (len(first.attempts), first.state) == (7, "sent")
    assert (len(second.attempts), second.state) == (1, "sent")


def test_after_the_last_attempt_it_is_given_up_and_can_be_sent_again(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1"))
    now = world.now
    for n in range(MOST_ATTEMPTS):
        notice = claimed(store, now)
        assert notice is not None, n
        state = finished(store, notice, FAILED, now)
        now += timedelta(hours=9)
    assert state == "dead"
    assert claimed(store, now) is None
    (dead,) = told(store, state="dead")
    assert len(dead.attempts) == MOST_ATTEMPTS
    with store.writing() as connection:
        outbox.send_again(connection, dead.id, "user:alice", now)
    again = claimed(store, now)
    assert again is not None
    assert again.name == dead.name
    assert finished(store, again, SENT, now) == "sent"
    assert told(store)[0].attempts[-1].by == "user:alice"
    with store.writing() as connection:
        kept = outbox.send_again(connection, dead.id, "user:alice", now)
    assert kept is not None
    assert kept.state == "sent"


def test_a_receiver_that_is_gone_is_left_alone_and_one_that_is_busy_later(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1")).alertmanager(firing("db-2", site="iad"))
    first = claimed(store, world.now)
    second = claimed(store, world.now)
    assert first is not None
    assert second is not None
    assert finished(store, first, Came("failed", 410, "answered 410"), world.now) == "dead"
    busy = Came("failed", 429, "answered 429", asked_to_wait=timedelta(hours=2))
    assert finished(store, second, busy, world.now) == "waiting"
    assert told(store)[1].due_at == world.now + timedelta(hours=2)


def test_a_claim_holds_until_its_lease_ends_and_then_the_other_one_counts(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1"))
    lost = claimed(store, world.now)
    assert lost is not None
    assert claimed(store, world.now + outbox.LEASE / 2) is None
    won = claimed(store, world.now + outbox.LEASE)
    assert won is not None
    assert won.name == lost.name
    assert finished(store, lost, FAILED, world.now + outbox.LEASE) is None
    assert finished(store, won, SENT, world.now + outbox.LEASE) == "sent"
    assert [one.outcome for one in told(store)[0].attempts] == ["failed", "sent"]


def test_replicas_share_what_is_to_be_sent(store: Store) -> None:
    world = world_of(store).at("10:00")
    with store.writing() as connection:
        for _ in range(24):
            outbox.tell_test(connection, "pager", "user:alice", world.now)
    taken: list[int] = []

    def run() -> None:
        misses = 0
        while misses < 40:
            notice = claimed(store, world.now)
            misses = 0 if notice else misses + 1
            taken.extend([notice.id] if notice else [])

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(one.id for one in told(store))


def test_what_waits_for_a_destination_that_is_no_more_is_given_up(store: Store) -> None:
    world = world_of(store).at("10:00").alertmanager(firing("db-1"))
    later = world.now + outbox.FORGOTTEN * 2
    with store.writing() as connection:
        assert outbox.give_up(connection, ["pager"], later) == 0
        assert outbox.give_up(connection, ["other"], world.now) == 0
        assert outbox.give_up(connection, ["other"], later) == 1
    assert [(one.state, one.attempts[-1].reason) for one in told(store)] == [("dead", outbox.UNKNOWN)]


# What it looks like


def notice_of(title: str = "Database down", what: str = "opened", **facts: Any) -> Notice:
    told_of = {"id": "2026-03-02-smf", "title": title, "status": "open", "severity": "critical", "sites": ["smf"]}
    told_of |= {"alerts": 3, "owner": None, "opened_at": "2026-03-02T10:00:00.000000Z", **facts}
    at = datetime(2026, 3, 2, 10, 0, 5, tzinfo=UTC)
    return Notice(7, "msg_7", "chat", "2026-03-02-smf", what, told_of, at, "waiting", at, 0)


def test_a_webhook_has_type_time_and_data() -> None:
    body = json.loads(notices.webhook(notice_of(what="resolved", was="mitigated"), "https://barograph.example"))
    assert (body["type"], body["timestamp"]) == ("incident.resolved", "2026-03-02T10:00:05.000000Z")
    assert body["data"]["was"] == "mitigated"
    assert "was" not in body["data"]["incident"]
    assert body["data"]["incident"]["url"] == "https://barograph.example/incidents/2026-03-02-smf"


def test_a_chat_message_is_a_strangers_text_escaped() -> None:
    hostile = "<!channel> <https://evil.example|click> & \u202egnp.exe\nnext *bold*" + "x" * 10_000
    message = json.loads(notices.slack(notice_of(hostile, owner="<@U1>"), "https://b.example"))
    head, beside = message["blocks"][0]["text"]["text"], message["blocks"][1]["elements"][0]["text"]
    assert head.startswith(
        ":red_circle: *<https://b.example/incidents/2026-03-02-smf|&lt;!channel&gt; &lt;https://evil"
    )
    assert "\u202e" not in head
    assert "\n" not in head
    assert len(head) < 3000
    assert "&lt;@U1&gt;" in beside
    assert "<!date^1772445600^{date_short_pretty} {time}|2 Mar 2026 10:00 UTC>" in beside
    assert "<!channel" not in json.dumps(message)


def test_what_we_sign_is_what_we_take() -> None:
    """The vector of the Standard Webhooks libraries' own tests: id, time, body and secret give this signature."""
    body = b'{"test": 2432232314}'
    headers = standard_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [SECRET])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    at = datetime.fromtimestamp(1614265330, UTC)
    assert is_standard_webhook(Delivery("svc", body, at, headers), [SECRET])
    assert not is_standard_webhook(Delivery("svc", body + b" ", at, headers), [SECRET])


# The real thing


@pytest.fixture
def listener() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def config_text(listener: Receiver, kind: str = "webhook") -> str:
    secret = f'secret = "{SECRET}"' if kind == "webhook" else ""
    return f'[[destinations]]\nname = "hook"\nkind = "{kind}"\nurl = "{listener.url}"\n{secret}\n'


def started(barograph: StartBarograph, listener: Receiver, **options: Any) -> Barograph:
    settings = {"ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8", "PUBLIC_URL": "https://barograph.example"}
    config, pace = config_text(listener, options.pop("kind", "webhook")), {"SEND_SECONDS": 0.2}
    return barograph(config, settings=settings, pace=pace, **options)


def opened(service: Barograph, title: str = "Database down") -> str:
    answer = service.call("POST", "/api/v1/incidents", {"title": title, "severity": "critical"})
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


def the_notice(service: Barograph, title: str = "", attempts: int = 1) -> dict[str, Any]:
    """The newest notice of this title, once it was tried so often."""

    def ask() -> dict[str, Any] | None:
        found = (one for one in service.json("/api/v1/notices")["items"] if one["title"].startswith(title))
        newest: dict[str, Any] | None = next(found, None)
        return newest if newest and len(newest["attempts"]) >= attempts else None

    found = service.until(ask)
    assert found is not None
    return found


def test_a_webhook_arrives_signed(barograph: StartBarograph, listener: Receiver, database_url: str) -> None:
    service = started(barograph, listener, database_url=database_url)
    incident = opened(service)
    notice = the_notice(service)
    assert (notice["state"], notice["attempts"][0]["status"]) == ("sent", 200)
    (heard,) = listener.heard
    assert is_standard_webhook(heard, [SECRET])
    assert heard.headers["webhook-id"] == notice["key"]
    body = json.loads(heard.body)
    assert body["type"] == "incident.opened"
    assert body["data"]["incident"]["url"] == f"https://barograph.example/incidents/{incident}"
    (destination,) = service.json("/api/v1/destinations")["items"]
    assert (destination["sent"], destination["dead"], destination["last"]["outcome"]) == (1, 0, "sent")
    assert "of-the-address" not in service.get("/destinations").text + service.get("/api/v1/destinations").text
    assert 'barograph_notices_total{outcome="sent"} 1.0' in service.get("/metrics").text


def test_a_chat_message_arrives(barograph: StartBarograph, listener: Receiver) -> None:
    opened(service := started(barograph, listener, kind="slack"), "Disk <full>")
    assert the_notice(service)["state"] == "sent"
    (heard,) = listener.heard
    assert "Disk &lt;full&gt;" in json.loads(heard.body)["text"]
    assert "webhook-signature" not in heard.headers


MISBEHAVED = {
    "refuses": (403, "answered 403: invalid_token"),
    "fails": (500, "answered 500: oops [31m {key}"),
    "busy": (429, "answered 429"),
    "moved": (307, "answered 307: redirects are not followed"),
    "no http": (None, "the answer is no HTTP"),
}


def test_a_receiver_that_misbehaves_is_logged_and_told_again(barograph: StartBarograph, listener: Receiver) -> None:
    service = started(barograph, listener)
    for n, (mood, (status, said)) in enumerate(MISBEHAVED.items()):
        listener.mood, listener.heard = mood, []
        opened(service, mood)
        notice = the_notice(service, mood)
        assert (notice["state"], notice["attempts"][0]["status"]) == ("waiting", status)
        assert notice["attempts"][0]["reason"] == said
        assert len(listener.heard) == 1
        listener.mood = "junk"
        assert service.call("POST", f"/api/v1/notices/{notice['id']}/send").status == 202
        notice = the_notice(service, mood, 2)
        assert (notice["state"], notice["attempts"][1]["by"]) == ("sent", "user:admin")
        assert len(set(listener.names())) == 1, n
    assert service.call("POST", f"/api/v1/notices/{notice['id']}/send").status == 409
    assert service.call("POST", "/api/v1/notices/999/send").status == 404
    assert service.call("POST", "/api/v1/destinations/hook/test").status == 202
    assert service.call("POST", "/api/v1/destinations/none/test").status == 404
    assert the_notice(service, "A test")["what"] == "test"
    assert json.loads(listener.heard[-1].body)["type"] == "test"


def test_an_address_inside_is_not_reached_unless_allowed(barograph: StartBarograph, listener: Receiver) -> None:
    service = barograph(config_text(listener))
    opened(service)
    assert "inside a network that is not allowed" in the_notice(service)["attempts"][0]["reason"]
    assert listener.heard == []


def test_a_kill_between_commit_and_answer_sends_it_again_under_its_name(
    barograph: StartBarograph, listener: Receiver, sqlite_url: str
) -> None:
    listener.mood = "hang"
    service = started(barograph, listener, database_url=sqlite_url)
    opened(service)
    until(lambda: listener.heard)
    service.kill9()
    listener.mood = "ok"
    store = Store(sqlite_url)
    with store.writing() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(ATTEMPT)).scalar() == 0
        # As if its lease had ended.
        connection.exec_driver_sql("UPDATE notice SET due_at = due_at - 3600000000")
    store.close()
    service.start()
    assert the_notice(service)["state"] == "sent"
    first, second = listener.names()
    assert first == second


def test_commands_show_and_send_what_a_process_without_sockets_wrote(
    barograph: StartBarograph, listener: Receiver
) -> None:
    listener.mood = "gone"
    service = started(barograph, listener)
    incident = opened(service)
    notice = the_notice(service)
    assert notice["state"] == "dead"
    listed = service.cli("notice", "list", "--state", "dead")
    assert "answered 410" in listed.stdout
    listener.mood = "ok"
    assert service.cli("notice", "send", str(notice["id"])).returncode == 0
    assert service.until(lambda: the_notice(service)["state"] == "sent")
    assert service.cli("incident", "status", incident, "resolved").returncode == 0
    service.until(lambda: len(listener.heard) == 3)
    assert json.loads(listener.heard[-1].body)["type"] == "incident.resolved"
    (destination,) = json.loads(service.cli("destination", "list", "--json").stdout)
    assert (destination["host"], destination["sent"]) == (f"127.0.0.1:{listener.port}", 2)


def test_a_destination_of_a_site_that_nobody_knows_is_refused(barograph: StartBarograph, listener: Receiver) -> None:
    service = barograph()
    service.config_path.write_text(config_text(listener) + 'sites = ["nowhere"]\n')
    refused = service.cli("apply", str(service.config_path))
    assert refused.returncode == 1
    assert "destinations hook: sites: 'nowhere' is not configured" in refused.stderr
    service.config_path.write_text(config_text(listener).replace(f'url = "{listener.url}"', 'url_file = "hook.url"'))
    assert "destinations hook: url_file" in service.cli("apply", str(service.config_path)).stderr
    (service.home / "hook.url").write_text(f"{listener.url}\n")
    assert "add     destination hook" in service.cli("apply", str(service.config_path)).stdout
