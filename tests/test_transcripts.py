"""What was said in a chat, or stands in a list, becomes entries at its own times; what is none is listed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents import transcribing
from incidents.store import Store
from incidents.transcribing import Pasted, Preview
from incidents.transcripts.clocks import Clock
from incidents.transcripts.message import Message, Transcript, identities
from incidents.transcripts.reading import MOST_BYTES, read
from tests.conftest import StartBarograph
from tests.servers import Barograph
from tests.window import Window
from tests.world import World, firing

ZONE = "America/Los_Angeles"
NEAR = datetime(2026, 9, 5, 21, 0, tzinfo=UTC)
"""14:00 in the zone."""
NOW = datetime(2026, 9, 7, 12, 0, tzinfo=UTC)


def clock(zone: str = ZONE, **given: Any) -> Clock:
    return Clock(zone, NOW, NEAR, **given)


def told(text: str, form: str = "auto", **given: Any) -> Transcript:
    return read(text, form, clock(**given))


def lines(found: Transcript) -> list[str]:
    """Each message in one line: the time in UTC, the speaker, the words."""
    return [
        f"{m.at:%m-%d %H:%M}" + (f"-{m.until:%H:%M}" if m.until else "") + f" {m.speaker}|{m.text}"
        + (" (edited)" if m.edited else "")
        for m in found.messages
    ]  # fmt: skip


def reasons(found: Transcript) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in found.unread]


OWN = "a line of the chat's own, not a message"

COPIED_SLACK = """\
Saturday, September 5th
Ada Byron  2:02 PM
db-1 is slow, looking <https://x.example>
  second line
2:04
restarting it now :hammer_and_wrench:
:eyes:
2

Grace H. :palm_tree:
  2:05\u202fPM
ok (edited)
3 replies
Last reply 2 days ago
New
Deploy Bot APP  2:07 PM
rolled back
"""


def test_slack_as_it_is_copied() -> None:
    found = told(COPIED_SLACK)
    assert lines(found) == [
        "09-05 21:02 Ada Byron|db-1 is slow, looking <https://x.example>\n  second line",
        "09-05 21:04 Ada Byron|restarting it now :hammer_and_wrench:",
        "09-05 21:05 Grace H.|ok (edited)",
        "09-05 21:07 Deploy Bot|rolled back",
    ]
    assert reasons(found) == [(7, OWN), (8, OWN), (13, OWN), (14, OWN), (15, OWN)]


def test_slack_in_the_compact_window_and_with_brackets() -> None:
    assert lines(told("Ada [2:02 PM]\nlooking\n[2:03 PM]\nstill\n\nGrace [14:05]\nok\n", "slack")) == [
        "09-05 21:02 Ada|looking",
        "09-05 21:03 Ada|still",
        "09-05 21:05 Grace|ok",
    ]


def test_a_sentence_that_ends_with_a_time_is_no_speaker() -> None:
    found = told("Ada  2:02 PM\nIt began at 1:58 PM\n\nrestarted at 2:00 PM\nand it held\n\nsince 2:01\nfine")
    assert lines(found) == [
        "09-05 21:02 Ada|It began at 1:58 PM\n\nrestarted at 2:00 PM\nand it held\n\nsince 2:01\nfine"
    ]


def test_days_of_threads_and_midnight() -> None:
    found = told("Ada  Sep 4th at 11:58 PM\nfirst\n12:03 AM\nsecond\nGrace  Yesterday at 9:00 AM\nthird", "slack")
    assert lines(found) == ["09-05 06:58 Ada|first", "09-05 07:03 Ada|second", "09-06 16:00 Grace|third"]
    assert found.assumed == ["“Yesterday” is counted from today"]


def test_a_day_within_a_message_is_a_word_of_it() -> None:
    assert lines(told("Ada  2:02 PM\nMonday\nwill do\nGrace  2:03 PM\nok")) == [
        "09-05 21:02 Ada|Monday\nwill do",
        "09-05 21:03 Grace|ok",
    ]


COPIED_TEAMS = """\
[9/5/2026 2:02 PM] Byron, Ada
db-1 is slow
and so is db-2
[9/5/2026 2:04 PM] Grace Hopper: on it
1 Like reaction.
[14/9/2026 2:05 PM] Grace Hopper: never
[25:00] Nobody: never
"""


def test_teams_as_it_is_copied() -> None:
    found = told(COPIED_TEAMS)
    assert lines(found) == [
        "09-05 21:02 Byron, Ada|db-1 is slow\nand so is db-2",
        "09-05 21:04 Grace Hopper|on it",
    ]
    assert found.assumed == ["9/5/2026 is read with the month first"]
    assert reasons(found) == [
        (5, OWN),
        (6, "lies more than a day ahead"),
        (7, "25:00 is no time"),
    ]


def test_the_day_may_come_first() -> None:
    assert lines(told("[5/9/2026 14:02] Ada: hi", "teams", day_first=True)) == ["09-05 21:02 Ada|hi"]
    assert lines(told("[05.09.2026 14:02] Ada: hi", "teams")) == ["09-05 21:02 Ada|hi"]


LIST = """\
What we did
14:02 restarted db-1
- 14:05-14:10: drained the pool
  because of the leases
* 2:20 pm - looks good
[21:30Z] page from Zürich
14:31 PDT, again
2026-09-05T22:00:00Z all clear
2026-09-05 15:04 PDT closed the bridge
14:00 XYZ never
14:03 CST never
15:10 – 15:00 backwards
nothing to see
6 Sep 2026:
08:00 the review
"""


def test_a_list_with_times() -> None:
    found = told(LIST)
    assert found.origin == "list"
    assert lines(found) == [
        "09-05 21:02 |restarted db-1",
        "09-05 21:05-21:10 |drained the pool\nbecause of the leases",
        "09-05 21:20 |looks good",
        "09-05 21:30 |page from Zürich",
        "09-05 21:31 |again",
        "09-05 22:00 |all clear",
        "09-05 22:04 |closed the bridge",
        "09-06 15:00 |the review",
    ]
    ambiguous = "the zone {} is not known, or several zones share it: write UTC+2 or the like"
    assert reasons(found) == [
        (1, "does not begin with a time"),
        (10, ambiguous.format("XYZ")),
        (11, ambiguous.format("CST")),
        (12, "ends before it begins"),
        (13, "does not begin with a time"),
    ]


def test_a_bare_time_goes_beside_the_opening_or_on_the_day_that_is_given() -> None:
    late = Clock("UTC", NOW, datetime(2026, 9, 5, 23, 50, tzinfo=UTC))
    assert lines(read("00:05 first\n23:59 told late\n00:10 next\n17:00 much\n09:00 later", "list", late)) == [
        "09-06 00:05 |first",
        "09-05 23:59 |told late",
        "09-06 00:10 |next",
        "09-06 17:00 |much",
        "09-07 09:00 |later",
    ]
    given_day = Clock("UTC", NOW, NEAR, day=date(2026, 8, 1))
    assert lines(read("00:05 first", "list", given_day)) == ["08-01 00:05 |first"]


def test_clock_changes_are_told() -> None:
    spring = Clock("Europe/Berlin", NOW, datetime(2026, 3, 29, 1, tzinfo=UTC))
    (gap,) = read("02:30 never was", "list", spring).messages
    assert gap.notes == ("02:30 was left out that day in Europe/Berlin: the clocks went forward",)
    autumn = Clock("Europe/Berlin", NOW, datetime(2025, 10, 26, 1, tzinfo=UTC))
    (twice,) = read("02:30 was twice", "list", autumn).messages
    assert (twice.at.hour, twice.notes) == (0, ("02:30 was twice that day in Europe/Berlin: the first is taken",))


def slack_item(ts: str, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "user": "U1", "ts": ts, "text": text, **more}


SLACK_EXPORT = [
    slack_item(
        "1788642120.000200",
        "hi <@U2>, see <#C1|infra>, <https://a.example|the page> &amp; <!here> :fire:",
        user_profile={"display_name": "ada", "real_name": "Ada Byron"},
        thread_ts="1788642120.000200",
        replies=[{"user": "U2", "ts": "1788642180.000300"}],
    ),
    slack_item("1788642180.000300", "on it", user="U2", edited={"user": "U2", "ts": "1788642190.000000"}),
    slack_item("1788642200.000000", "", files=[{"name": "graph.png"}]),
    slack_item("1788642210.000000", "<@U3> has joined the channel", subtype="channel_join"),
    slack_item("1788642220.000000", "This message was deleted.", subtype="tombstone"),
    slack_item("1788642230.000000", "secret", user="U2"),
    {"type": "message", "subtype": "message_deleted", "deleted_ts": "1788642230.000000", "ts": "1788642240.000000"},
    {
        "type": "message",
        "subtype": "message_changed",
        "message": slack_item("1788642250.000000", "after", user="U2"),
        "ts": "1788642251.0",
    },
    {"type": "message", "subtype": "bot_message", "username": "deploys", "ts": "1788642110.000000", "text": "done"},
    slack_item("yesterday", "no time"),
    slack_item("1788642260.000000", ""),
]


@pytest.mark.parametrize("wrap", [list, lambda items: {"ok": True, "messages": items}])
def test_an_export_of_slack(wrap: Any) -> None:
    document = wrap(SLACK_EXPORT)
    if isinstance(document, dict):
        document["users"] = [{"id": "U2", "profile": {"real_name": "Grace Hopper"}}]
    grace = "Grace Hopper" if isinstance(document, dict) else "U2"
    found = told(json.dumps(document))
    assert found.origin == "slack"
    assert lines(found) == [
        "09-05 21:01 deploys|done",
        f"09-05 21:02 ada|hi @{grace}, see #infra, the page (https://a.example) & @here :fire:",
        f"09-05 21:03 {grace}|on it (edited)",
        "09-05 21:03 ada|[file: graph.png]",
        f"09-05 21:04 {grace}|after (edited)",
    ]
    assert [one.reason for one in found.unread] == [
        OWN,
        "was deleted in the chat",
        "was deleted in the chat",
        "was deleted in the chat",
        "has no time",
        "has no words: a picture or a file",
    ]


def graph_item(ident: str, at: str, content: str, **more: Any) -> dict[str, Any]:
    return {
        "id": ident,
        "messageType": "message",
        "createdDateTime": at,
        "from": {"user": {"displayName": "Ada Byron"}},
        "body": {"contentType": "html", "content": content},
        **more,
    }


GRAPH = {
    "@odata.context": "https://graph.microsoft.com/v1.0/$metadata",
    "value": [
        graph_item(
            "2",
            "2026-09-05T21:04:00.5Z",
            '<div><p>look <at id="0">Grace</at> &amp; <emoji alt="🔥"></emoji></p><ul><li>1</li><li>2</li></ul></div>',
            replies=[
                graph_item("3", "2026-09-05T21:05:00Z", "<script>x</script>on it", lastEditedDateTime="2026-09-05")
            ],
        ),
        graph_item("1", "2026-09-05T21:02:00Z", "plain", body={"contentType": "text", "content": "a < b"}),
        graph_item("4", "2026-09-05T21:06:00Z", "gone", deletedDateTime="2026-09-05T21:07:00Z"),
        graph_item("5", "2026-09-05T21:06:00Z", "<systemEventMessage/>", messageType="systemEventMessage"),
        graph_item("6", "soon", "when?"),
        graph_item("7", "2026-09-05T21:08:00Z", "", attachments=[{"name": "graph.png"}], **{"from": None}),
        graph_item("8", "2026-09-05T21:09:00Z", '<attachment id="1"></attachment>'),
    ],
}


def test_messages_of_microsoft_graph() -> None:
    found = told(json.dumps(GRAPH))
    assert found.origin == "teams"
    assert lines(found) == [
        "09-05 21:02 Ada Byron|a < b",
        "09-05 21:04 Ada Byron|look @Grace & 🔥\n1\n2",
        "09-05 21:05 Ada Byron|xon it (edited)",
        "09-05 21:08 somebody|[file: graph.png]",
    ]
    assert [one.reason for one in found.unread] == [
        "was deleted in the chat",
        OWN,
        "has no time",
        "has no words: a picture or a file",
    ]


@pytest.mark.parametrize(
    ("text", "form", "said"),
    [
        ('{"a": 1}', "auto", "is JSON, but neither an export of Slack nor messages"),
        ("[]", "slack", "is JSON, but neither"),
        ("x", "fax", "format: one of auto, slack, teams, list"),
        ("x" * (MOST_BYTES + 1), "auto", "text: larger than 2 MiB"),
    ],
)
def test_what_is_of_no_format_is_refused(text: str, form: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        told(text, form)


@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from([*COPIED_SLACK.splitlines(), *LIST.splitlines(), *COPIED_TEAMS.splitlines()])).map(
            "\n".join
        ),
    )
)
def test_every_line_is_a_message_or_listed_and_nothing_fails(text: str) -> None:
    for form in ("auto", "slack", "list"):
        try:
            found = told(text, form)
        except ValueError:
            continue
        assert all(m.at.tzinfo is UTC and m.text for m in found.messages)
        if form == "list":
            shown = "\n".join([*(m.text for m in found.messages), *(one.text for one in found.unread)])
            days = sum(clock().set_day(line) for line in text.splitlines() if line.strip())
            assert len([line for line in text.splitlines() if line.strip()]) <= shown.count("\n") + 1 + days


def test_hostile_lines_are_read_in_time() -> None:
    for text in (
        " " * 100_000 + "x",
        "[" * 50_000,
        "1:" * 50_000,
        "a  " * 50_000,
        "<" * 100_000,
        "Ada  " + "9" * 10**5,
    ):
        for form in ("slack", "list", "auto"):
            told(text, form)


def message(text: str, key: str = "", minute: int = 2) -> Message:
    return Message(datetime(2026, 9, 5, 21, minute, tzinfo=UTC), text, 1, "Ada", key=key)


def test_equal_messages_are_told_apart_and_the_chats_own_id_counts() -> None:
    first = identities(Transcript("chat", [message("ok"), message("ok"), message("ok", minute=3)]))
    assert len(set(first)) == 3
    assert identities(Transcript("chat", [message("ok"), message("ok"), message("ok", minute=3)])) == first
    assert len(set(identities(Transcript("slack", [message("was", "7"), message("now", "7", 9)])))) == 1


# In the record


def imported(world: World, text: str, **given: Any) -> Preview:
    """What was written of a text, as alice imports it."""
    incident, pasted = world.only().id, Pasted(text, ZONE, **given)

    def deed(acting: Any) -> Preview:
        found = transcribing.preview(acting.connection, incident, pasted, world.now)
        transcribing.write(acting, incident, found)
        return found

    return world.act(deed)


def notes(world: World) -> list[dict[str, Any]]:
    return [dict(e.params) for e in world.log() if e.kind == "note"]


def spoken(clock_times: Iterable[tuple[str, str]]) -> str:
    return json.dumps([slack_item(ts, text, user_profile={"real_name": "Ada Byron"}) for ts, text in clock_times])


def test_what_was_settled_of_a_time_stands_beside_it_in_the_record(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1")).at("12:00")
    incident = world.only().id
    told = "02:30 was twice that day in Europe/Berlin: the first is taken"
    fields = {"text": "back", "happened_at": "2026-03-02T10:30:00Z", "origin": "chat", "notes": [told]}
    world.act(lambda acting: acting.transcribe(incident, [(fields, "one")]))
    assert f"back (time: {told})" in world.timeline()
    (number,) = (entry.id for entry in world.log() if entry.kind == "note")
    world.act(lambda acting: acting.correct(incident, number, {"happened_at": "2026-03-02T10:31:00Z"}))
    assert "(time:" not in world.timeline()


def test_importing_the_same_twice_adds_nothing(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1")).at("12:00")
    text = "2:02 restarted db-1\n2:02 restarted db-1\n2:05 better\n"
    assert len(imported(world, text).new) == 3
    again = imported(world, text + "2:09 fine\n")
    assert [row.text for row in again.new] == ["fine"]
    assert len(notes(world)) == 4
    assert world.rebuilt() == world.digest()


def test_the_importer_acted_and_the_speaker_is_named(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1")).at("12:00")
    at = world.now.timestamp() - 3600
    key = "sk_" + "live_" + "0123456789abcdefghijABCDEFGH"
    imported(world, spoken([(f"{at:.6f}", f"the key is {key}"), (f"{at + 60:.6f}", "x" * 20_001)]))
    (note,) = notes(world)
    assert (note["speaker"], note["origin"]) == ("Ada Byron", "slack")
    assert key not in note["text"]
    (entry,) = (e for e in world.log() if e.kind == "note")
    assert (entry.actor, entry.happened_at.timestamp()) == ("user:alice", at)
    assert "11:00 Ada Byron: the key is" in world.timeline()


def test_it_is_previewed_and_written_over_http(barograph: StartBarograph) -> None:
    service = barograph()
    incident = service.call("POST", "/api/v1/incidents", {"title": "Slow", "severity": "error"}).json()["id"]
    path = f"/api/v1/incidents/{incident}/entries/import"
    body = {"text": LIST, "tz": ZONE, "day": "2026-09-05", "format": "list"}
    seen = service.call("POST", path, {**body, "dry_run": True})
    assert (seen.status, seen.json()["new"], seen.json()["entries"]) == (200, 8, [])
    assert service.json(f"/api/v1/incidents/{incident}")["version"] == 1
    written = service.call("POST", path, body)
    assert (written.status, len(written.json()["entries"])) == (201, 8)
    again = service.call("POST", path, body).json()
    assert (again["new"], again["known"], len(again["unread"])) == (0, 8, 5)
    for wrong, status in (({"text": ""}, 400), ({"text": "x", "tz": "Mars"}, 400), ({"text": "x", "day": "soon"}, 400)):
        assert service.call("POST", path, wrong).status == status
    assert service.call("POST", "/api/v1/incidents/none/entries/import", {"text": "x"}).status == 404
    (service.home / "said.txt").write_text("14:02 by hand\nno time\n")
    argv = ("incident", "import", incident, str(service.home / "said.txt"), "--tz", ZONE, "--day", "2026-09-05")
    dry = service.cli(*argv, "--dry-run")
    assert (dry.stdout, "1 would be written" in dry.stderr) == ("2026-09-05 21:02:00Z  by hand\n", True)
    assert "left out, line 2: does not begin with a time: no time" in dry.stderr
    assert json.loads(service.cli(*argv, "--json").stdout)["new"] == 1


def test_a_person_pastes_looks_and_writes(barograph: StartBarograph, browser: Window) -> None:
    service: Barograph = barograph()
    incident = service.call("POST", "/api/v1/incidents", {"title": "Slow", "severity": "error"}).json()["id"]
    page = browser.open(
        f"{service.url}/sign-in?token={service.cli('sign-in').stdout.strip().partition('token=')[2]}&next=/incidents/{incident}"
    )
    page.get_by_role("link", name="Paste a conversation or a list").click()
    page.get_by_label("Messages of Slack or Teams").fill(COPIED_SLACK.replace("ok (edited)", "<b>ok</b>"))
    page.get_by_label("Zone of its times").fill(ZONE)
    page.get_by_role("button", name="See what would be written").click()
    assert page.locator(".said li").count() == 4
    assert page.locator(".unread li").count() == 5
    assert page.locator(".said").get_by_text("<b>ok</b>").is_visible()
    page.get_by_role("button", name="Write 4 entries").click()
    page.wait_for_url(f"**/incidents/{incident}?lines=all#e*")
    assert page.locator("#timeline").get_by_text("Ada Byron: restarting it now").first.is_visible()
    page.goto(f"{service.url}/incidents/{incident}/import")
    page.get_by_label("Messages of Slack or Teams").fill("{}")
    page.get_by_role("button", name="See what would be written").click()
    assert "neither an export of Slack" in page.get_by_role("alert").inner_text()
    browser.problems = [one for one in browser.problems if "400" not in one]
