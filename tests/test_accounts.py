"""Accounts, passwords and sessions; keys that end and are replaced; throttles for people and never for monitors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from dashboards.access_page import browser as browser_named
from incidents.refusals import ConflictError, NotFoundError
from incidents.retention import Retention
from incidents.store import Store
from service import clock
from service.cli import main
from service.identity import accounts, addresses, credentials, key_texts, passwords, sessions
from service.identity.access import KEY, USE, Access
from service.identity.passwords import MOST_WAITING, BusyError, Passwords
from service.identity.sessions import Origin
from service.identity.throttle import MOST_KEPT, Guesses, Rates, guards
from tests.conftest import StartBarograph
from tests.senders import CONFIG
from tests.senders import KEY as INGEST_KEY
from tests.servers import Answer, Barograph
from tests.test_access import csrf, form

PASSWORD = "quiet harbour, nine gulls"
OTHER = "a lamp in the seventh window"
HERE = Origin("192.0.2.7", "Firefox of alice")


def opened(store: Store) -> Access:
    access = Access(store, admin_token=None, secret_key=b"")
    access.refresh()
    return access


@pytest.fixture(scope="module")
def hashes() -> dict[str, str]:
    """The two passwords' hashes: making one takes a while on purpose."""
    return {text: passwords.hashed(text) for text in (PASSWORD, OTHER)}


# --- the text of keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ingest", "token", "session", "sign_in"])
def test_a_slip_of_the_hand_is_told_from_a_key_that_is_not_known(kind: str) -> None:
    text = key_texts.make(kind)
    assert key_texts.PATTERN.fullmatch(text)
    assert key_texts.is_whole(text)
    assert key_texts.kind_of(text) == kind
    assert key_texts.slip(text) is None
    for at in (3, 20, len(text) - 1):
        wrong = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert "mistyped" in (key_texts.slip(wrong) or ""), at
    swapped = text[:10] + text[11] + text[10] + text[12:]
    assert swapped == text or key_texts.slip(swapped)
    assert "missing" in (key_texts.slip(text[:-1]) or "")
    assert key_texts.slip("an operator's own key of many characters") is None
    assert text not in str(key_texts.slip(text[:-1]))


# --- passwords ------------------------------------------------------------------------------------------------------


def test_a_password_is_kept_as_argon2id_and_letters_may_be_composed_either_way(hashes: dict[str, str]) -> None:
    kept = hashes[PASSWORD]
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert passwords.is_right(kept, PASSWORD)
    assert not passwords.is_right(kept, PASSWORD + " ")
    assert not passwords.is_right(None, PASSWORD)
    assert not passwords.is_right("no hash", PASSWORD)
    assert passwords.is_right(passwords.hashed("caf\u00e9 au lait at ten"), "cafe\u0301 au lait at ten")
    assert not passwords.is_dated(kept)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 12"),
        ("x" * 257, "at most 256"),
        ("passwordpassword", "easily guessed"),
        ("alicealicealice", "easily guessed"),
        ("123456789012", "easily guessed"),
        ("qwertyuiopasdf", "easily guessed"),
        (PASSWORD, ""),
        ("x" * 200 + PASSWORD[:56], ""),
    ],
)
def test_what_is_tried_first_is_no_password(password: str, why: str) -> None:
    found = passwords.objection(password, "alice")
    assert (why in found) if found else not why


async def test_only_so_many_hashes_wait_and_the_loop_goes_on() -> None:
    hashing = Passwords()
    try:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        asked = [asyncio.ensure_future(hashing.is_right(None, "x" * 12)) for _ in range(MOST_WAITING + 2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await hashing.is_right(None, "x" * 12)
        assert not await asked[0]
        for one in asked[3:]:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        ticking.cancel()
        assert ticks > 2
        assert not await hashing.is_right(None, "x" * 12)
    finally:
        hashing.close()


# --- throttles ------------------------------------------------------------------------------------------------------


def test_guesses_are_slowed_down_and_forgiven() -> None:
    guesses, now = Guesses(), 1000.0
    asked = guards("alice", "192.0.2.7", known=False)
    pauses = []
    for _ in range(12):
        while pause := guesses.begin(asked, now):
            pauses.append(pause)
            now += pause
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert not guesses.begin(guards("alice", "192.0.2.8", known=False), now), "its owner comes from elsewhere"
    guesses.forgive(asked)
    assert not guesses.begin(asked, now)


def test_many_addresses_slow_an_account_down_but_not_where_its_owner_was_before() -> None:
    guesses, now = Guesses(), 1000.0
    for n in range(130):
        guesses.begin(guards("alice", f"198.51.100.{n}", known=False), now)
    assert guesses.begin(guards("alice", "203.0.113.1", known=False), now) > 0
    assert guesses.begin(guards("alice", "192.0.2.7", known=True), now) == 0
    assert guesses.begin(guards("bob", "203.0.113.1", known=False), now) == 0


def test_one_address_is_slowed_down_over_many_names() -> None:
    guesses, now = Guesses(), 1000.0
    waited = [guesses.begin(guards(f"name-{n}", "192.0.2.7", known=False), now) for n in range(40)]
    assert not any(waited[:31])
    assert all(waited[32:])


def test_who_has_an_account_does_not_wipe_out_what_they_guessed_at_others() -> None:
    guesses, now = Guesses(), 1000.0
    for n in range(40):
        guesses.begin(guards(f"name-{n}", "192.0.2.7", known=False), now)
        own = guards("mallory", "192.0.2.7", known=True)
        if not guesses.begin(own, now):
            guesses.forgive(own)
    assert guesses.begin(guards("alice", "192.0.2.7", known=False), now) > 0


def test_what_is_remembered_is_bounded() -> None:
    guesses, rates = Guesses(), Rates(60)
    for n in range(MOST_KEPT + 10):
        guesses.begin(guards(f"{n}", f"{n}", known=True), 0.0)
        rates.take(f"{n}", 0.0)
    assert len(guesses._kept) == len(rates._kept) == MOST_KEPT


def test_a_rate_fills_again() -> None:
    rates = Rates(60)
    assert [rates.take("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert rates.take("a", 0.0) == 1.0
    assert rates.owed("a", 0.5) == 0.5
    assert rates.take("a", 1.0) == 0.0
    assert rates.take("b", 0.0) == 0.0
    assert not any(Rates(0).take("a", 0.0) for _ in range(100))


@pytest.mark.parametrize(
    ("peer", "said", "found"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("::ffff:10.0.0.1", "[2001:db8::1]:80", "2001:db8::1"),
        (None, "203.0.113.9", None),
    ],
)
def test_only_a_proxy_of_ours_says_who_asked(peer: str | None, said: str, found: str | None) -> None:
    assert addresses.client(peer, said, addresses.networks(("10.0.0.0/8",))) == found


def test_an_ipv6_network_counts_as_one() -> None:
    assert addresses.grouped("2001:db8::1") == addresses.grouped("2001:db8::ffff") == "2001:db8::/64"
    assert addresses.grouped("::ffff:192.0.2.7") == "192.0.2.7"
    assert addresses.grouped(None) == "none"


# --- accounts and sessions in the store -----------------------------------------------------------------------------


def test_names_roles_and_groups_are_checked(store: Store) -> None:
    assert (
        accounts.add(store, " Alice@Example.org ", "viewer", by="cli:x", groups=["b", "a", "b"]) == "alice@example.org"
    )
    for name in ("", "a b", "-a", "a" * 65, "é", "admin", "system", "a/b", "a\x00"):
        with pytest.raises(ValueError, match="name"):
            accounts.add(store, name, "viewer", by="cli:x")
    with pytest.raises(ValueError, match="role"):
        accounts.add(store, "bob", "ingest", by="cli:x")
    with pytest.raises(ConflictError):
        accounts.add(store, "ALICE@example.org", "admin", by="cli:x")
    with pytest.raises(NotFoundError):
        accounts.disable(store, "nobody-here", by="cli:x")
    with store.reading() as connection:
        (one,) = accounts.listed(connection)
    assert (one.groups, one.has_password, one.sessions) == (("b", "a"), False, 0)


def begun(access: Access, name: str = "alice", *, origin: Origin = HERE) -> str:
    key = sessions.of_account(access, name, "password", origin)
    assert key
    return key


@pytest.mark.parametrize("change", ["role", "password", "disabled"])
def test_what_changes_an_account_ends_its_sessions_and_links(store: Store, hashes: dict[str, str], change: str) -> None:
    accounts.add(store, "alice", "responder", by="cli:x", password=hashes[PASSWORD])
    accounts.add(store, "bob", "responder", by="cli:x", password=hashes[PASSWORD])
    access = opened(store)
    mine, bobs, token = begun(access), begun(access, "bob"), access.make("token", role="viewer", name="alice")[0]
    link = accounts.link(store, "alice", by="cli:x")
    who = access.check(mine)
    assert who is not None
    assert (who.name, who.role, who.account, who.actor) == ("alice", "responder", "alice", "user:alice")
    match change:
        case "role":
            accounts.set_role(store, "alice", "responder", by="cli:x")
            access.refresh()
            assert access.check(mine), "the same role ends nothing"
            accounts.set_role(store, "alice", "admin", by="cli:x")
        case "password":
            accounts.set_password(store, "alice", hashes[OTHER], by="cli:x")
        case _:
            accounts.disable(store, "alice", by="cli:x")
    access.refresh()
    assert access.check(mine) is None
    assert not access.holds(who)
    assert sessions.by_link(access, link, HERE) is None
    assert access.check(bobs)
    assert access.check(token), "a token is no session"


def test_a_session_has_the_role_and_groups_that_its_account_has_now(store: Store) -> None:
    accounts.add(store, "alice", "viewer", by="cli:x")
    access = opened(store)
    key = begun(access)
    accounts.set_groups(store, "alice", ["sre", "leads"], by="cli:x")
    access.refresh()
    who = access.check(key)
    assert who
    assert who.groups == ("sre", "leads")


def test_a_password_that_was_changed_meanwhile_begins_no_session(store: Store, hashes: dict[str, str]) -> None:
    accounts.add(store, "alice", "viewer", by="cli:x", password=hashes[PASSWORD])
    access = opened(store)
    accounts.set_password(store, "alice", hashes[OTHER], by="cli:x")
    assert sessions.of_account(access, "alice", "password", HERE, password=hashes[PASSWORD]) is None
    accounts.disable(store, "alice", by="cli:x")
    assert sessions.of_account(access, "alice", "password", HERE, password=hashes[OTHER]) is None


def test_nobody_slips_in_while_an_account_is_disabled(store: Store) -> None:
    """Whatever comes first: afterwards no session of a disabled account is left."""
    access = opened(store)
    for n in range(8):
        name = f"user-{n}"
        accounts.add(store, name, "viewer", by="cli:x")
        with ThreadPoolExecutor(4) as threads:
            done = [threads.submit(sessions.of_account, access, name, "password", HERE) for _ in range(3)]
            done.append(threads.submit(accounts.disable, store, name, by="cli:x"))  # type: ignore[arg-type]  # its result is not looked at
            for one in done:
                one.result()
        with store.reading() as connection:
            live = sa.select(KEY.c.id).where(KEY.c.name == name, KEY.c.kind == "session", KEY.c.revoked_at.is_(None))
            assert connection.execute(live).all() == []


def test_sessions_are_listed_and_ended_by_their_owner_alone(store: Store) -> None:
    accounts.add(store, "alice", "viewer", by="cli:x")
    accounts.add(store, "bob", "viewer", by="cli:x")
    access = opened(store)
    first, second, bobs = begun(access), begun(access, origin=Origin(None, "x\x00" * 300)), begun(access, "bob")
    alice, bob = access.check(first), access.check(bobs)
    assert alice
    assert bob
    with store.reading() as connection:
        own = sessions.listed(connection, access, alice)
        everybody = sessions.listed(connection, access)
    assert {one.name for one in own} == {"alice"}
    assert len(own) == 2
    assert len(everybody) == 3
    assert {(one.address, (one.agent or "")[:7]) for one in own} == {("192.0.2.7", "Firefox"), (None, "x" * 7)}
    assert not sessions.end(access, alice.key, bob, by="user:bob")
    assert access.check(first)
    assert sessions.end(access, alice.key, alice, by="user:alice")
    assert access.check(first) is None
    other = access.check(second)
    assert other
    assert sessions.end(access, other.key, None, by="user:admin")
    assert access.check(second) is None
    assert not sessions.end(access, other.key, None, by="user:admin"), "it is ended"
    token, ident = access.make("token", role="viewer", name="t")
    assert not sessions.end(access, ident, None, by="user:admin"), "a token is no session"
    assert access.check(token)


def test_a_session_ends_when_it_idles_and_at_the_latest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts.add(store, "alice", "viewer", by="cli:x")
    access = Access(store, admin_token=None, secret_key=b"", lasts=timedelta(hours=10), idle=timedelta(hours=1))
    used, idle = begun(access), begun(access)
    start, ticks = clock.now(), 0.0
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(seconds=ticks))
    monkeypatch.setattr("service.identity.access.time.monotonic", lambda: 10_000 + ticks)
    access = Access(store, admin_token=None, secret_key=b"", lasts=timedelta(hours=10), idle=timedelta(hours=1))
    other = Access(store, admin_token=None, secret_key=b"", lasts=timedelta(hours=10), idle=timedelta(hours=1))
    for _ in range(11):
        assert access.check(used), f"after {ticks / 3600} h"
        access.write_uses()
        ticks += 3000.0
        assert other.check(used), "another process knows that it was used"
    assert access.check(idle) is None
    ticks = 10 * 3600.0
    assert access.check(used) is None


def test_ended_sessions_and_links_go_after_their_days_and_nothing_that_holds(store: Store) -> None:
    accounts.add(store, "alice", "viewer", by="cli:x")
    access = opened(store)
    ended, holding = begun(access), begun(access)
    token = access.make("token", role="viewer", name="t")
    accounts.link(store, "alice", by="cli:x")
    who = access.check(ended)
    assert who
    access.write_uses()
    sessions.end(access, who.key, who, by="user:alice")
    access.revoke(token[1])
    later = clock.now() + timedelta(days=31)

    def kept() -> tuple[int, ...]:
        with store.reading() as connection:
            tables = (KEY, sessions.SESSION, USE)
            return tuple(connection.execute(sa.select(sa.func.count()).select_from(t)).scalar_one() for t in tables)

    before = kept()
    assert Retention(store, {"alert": 1}, later).run() == []
    aged = Retention(store, {"session": 30}, later - timedelta(days=10))
    assert [(one.kind, one.count) for one in aged.rehearse()] == []
    aged = Retention(store, {"session": 30}, later)
    assert [(one.kind, one.count) for one in aged.rehearse()] == [("session", 2)]
    assert [(one.kind, one.count) for one in aged.run()] == [("session", 2)]
    assert kept() == (before[0] - 2, before[1] - 1, before[2] - 1), "keys and tokens stay"
    assert access.check(holding)


def test_uses_are_written_once_for_many_and_nothing_where_there_was_none(store: Store) -> None:
    access = opened(store)
    key, ident = access.make("ingest", role="ingest", name="am", source="am")
    written = clock.now()
    for _ in range(50):
        assert access.recall(key)
    with store.reading() as connection:
        assert connection.execute(sa.select(USE)).all() == [], "not on the way of a delivery"
    access.write_uses()
    with store.reading() as connection:
        (row,) = connection.execute(sa.select(USE)).all()
    assert row.id == ident
    assert abs(row.used_at - written) < timedelta(seconds=60)
    queries: list[str] = []
    sa.event.listen(store._write, "before_cursor_execute", lambda *given: queries.append(given[2]))
    access.write_uses()
    assert queries == []


def test_a_use_that_could_not_be_written_is_written_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    access = opened(store)
    key, _ = access.make("ingest", role="ingest", name="am", source="am")
    access.recall(key)

    def away() -> None:
        raise OSError("no disk")

    with monkeypatch.context() as patched:
        patched.setattr(store, "writing", away)
        with pytest.raises(OSError, match="no disk"):
            access.write_uses()
    access.write_uses()
    with store.reading() as connection:
        assert len(connection.execute(sa.select(USE)).all()) == 1


# --- replacing keys -------------------------------------------------------------------------------------------------


def test_a_replaced_key_holds_beside_the_new_one_for_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    access = opened(store)
    former, ident = access.make("ingest", role="ingest", name="am", source="am", lasts=timedelta(days=30))
    text, made, until = credentials.replace(access, ident, by="cli:x", overlap=timedelta(hours=2))
    one, two = access.check(former), access.check(text)
    assert one
    assert two
    assert (two.role, two.source, two.key) == ("ingest", "am", made)
    with store.reading() as connection:
        kept = {row.id: row for row in credentials.listed(connection)}
    assert kept[ident].expires_at == until
    assert kept[made].expires_at
    assert timedelta(days=29) < kept[made].expires_at - clock.now() <= timedelta(days=30)
    late = clock.now() + timedelta(hours=3)
    monkeypatch.setattr(clock, "now", lambda: late)
    assert access.check(former) is None
    assert access.check(text)
    with pytest.raises(NotFoundError):
        credentials.replace(access, ident, by="cli:x")


def test_an_end_that_is_nearer_stays_and_a_files_key_is_the_files(store: Store) -> None:
    access = opened(store)
    _, ident = access.make("token", role="viewer", name="t", lasts=timedelta(hours=1))
    _, _, until = credentials.replace(access, ident, by="cli:x", lasts=timedelta(days=1))
    assert until - clock.now() <= timedelta(hours=1)
    _, ident = access.make("ingest", role="ingest", name="am", source="am", owner="file")
    with pytest.raises(ConflictError):
        credentials.replace(access, ident, by="cli:x")
    with pytest.raises(NotFoundError):
        credentials.replace(access, "nothing", by="cli:x")


# --- served ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    running = Barograph(tmp_path_factory.mktemp("people"), CONFIG, settings={"TRUSTED_PROXIES": "127.0.0.0/8"})
    running.start()
    for name, role in (("alice", "admin"), ("victor", "viewer")):
        done = here(running, "user", "add", name, "--role", role, text=f"{PASSWORD}\n")
        assert done.exit_code == 0, done.stderr
    yield running
    running.end()


def here(service: Barograph, *args: str, text: str | None = None) -> Result:
    """A command in this process, which is far quicker than one of its own; on the database that the service has."""
    env = {name: value for name, value in service.env.items() if name.startswith("BAROGRAPH_")}
    return CliRunner().invoke(main, args, input=text, env=env)


def signed_in(service: Barograph, name: str, password: str = PASSWORD, address: str = "192.0.2.1") -> Answer:
    return form(service, "/sign-in", {"name": name, "password": password}, {"X-Forwarded-For": address})


def cookie_of(answer: Answer) -> dict[str, str]:
    assert answer.status == 303, answer.text
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def test_a_password_signs_in_and_everything_else_is_refused_alike(service: Barograph) -> None:
    headers = cookie_of(signed_in(service, " Alice "))
    page = service.get("/account", token=None, headers=headers)
    assert "alice, admin" in page.text
    assert "192.0.2.1" in page.text
    here(service, "user", "add", "gone", "--role", "admin", text=f"{PASSWORD}\n")
    here(service, "user", "disable", "gone")
    here(service, "user", "add", "linked", "--role", "admin", "--link")
    answers = [
        signed_in(service, name, password, f"192.0.2.{n}")
        for n, (name, password) in enumerate(
            [("alice", OTHER), ("nobody", PASSWORD), ("gone", PASSWORD), ("linked", ""), ("", ""), ("alice\x00", "x")],
            50,
        )
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert all("Set-Cookie" not in answer.headers for answer in answers)
    service.restart()  # refusals are written at the end
    refused = service.json("/api/v1/audit?act=sign_in_refused")["items"]
    assert {act["subject"] for act in refused} == {"account alice", "account gone", "account linked", "sign-in"}
    assert {act["address"] for act in refused} == {f"192.0.2.{n}" for n in range(50, 56)}
    assert PASSWORD not in service.log + service.get("/api/v1/audit").text


def test_what_a_stranger_writes_before_the_proxy_is_not_believed(service: Barograph) -> None:
    spoofed = {"X-Forwarded-For": "198.51.100.77, 192.0.2.201", "Forwarded": "for=203.0.113.99"}
    spoofed["X-Real-Ip"] = "203.0.113.98"
    headers = cookie_of(form(service, "/sign-in", {"name": "alice", "password": PASSWORD}, spoofed))
    (session,) = [one for one in service.json("/api/v1/sessions")["items"] if one["address"] == "192.0.2.201"]
    page = service.get("/account", token=None, headers=headers).text
    assert "192.0.2.201" in page
    assert not any(address in page for address in ("198.51.100.77", "203.0.113.99", "203.0.113.98"))
    assert service.json("/api/v1/audit?act=signed_in&actor=user:alice")["items"][0]["address"] == session["address"]


def test_a_form_of_another_site_signs_nobody_in(service: Barograph) -> None:
    fields = {"name": "alice", "password": PASSWORD}
    answer = form(service, "/sign-in", fields, {"Sec-Fetch-Site": "cross-site", "X-Forwarded-For": "192.0.2.60"})
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


def test_guesses_are_answered_429_and_the_owner_elsewhere_is_let_in(service: Barograph) -> None:
    statuses = [signed_in(service, "victor", OTHER, "198.51.100.9").status for _ in range(40)]
    # However slow the machine is: the pauses grow faster than it asks.
    assert statuses[:6] == [401] * 6
    assert statuses.count(429) > 20
    waiting = signed_in(service, "victor", PASSWORD, "198.51.100.9")
    assert waiting.status == 429
    assert 1 <= int(waiting.headers["Retry-After"]) <= 900
    assert signed_in(service, "victor", PASSWORD, "198.51.100.10").status == 303


def test_a_password_is_changed_by_who_knows_the_former(service: Barograph) -> None:
    here(service, "user", "add", "petra", "--role", "viewer", text=f"{PASSWORD}\n")
    first, second = (cookie_of(signed_in(service, "petra", address="192.0.2.70")) for _ in range(2))
    proof = csrf(service.get("/account", token=None, headers=first))

    def change(**fields: str) -> Answer:
        return form(service, "/account/password", {"csrf": proof, **fields}, first)

    assert change(former=OTHER, password=OTHER, again=OTHER).status == 400
    assert change(former=PASSWORD, password=OTHER, again=PASSWORD).status == 400
    assert change(former=PASSWORD, password="password1234", again="password1234").status == 400
    assert service.get("/account", token=None, headers=second).status == 200
    assert change(former=PASSWORD, password=OTHER, again=OTHER).status == 303
    assert service.get("/account", token=None, headers=first).status == 200
    service.until(lambda: service.get("/account", token=None, headers=second).status == 303)
    assert signed_in(service, "petra", PASSWORD, "192.0.2.71").status == 401
    assert signed_in(service, "petra", OTHER, "192.0.2.72").status == 303


def test_a_link_lets_its_owner_set_a_password_once(service: Barograph) -> None:
    link = here(service, "user", "add", "lena", "--role", "responder", "--link").stdout.strip()
    path = link.partition(str(service.port))[2] or "/" + link.split("/", 3)[3]
    answer = service.get(path, token=None)
    assert answer.headers["Location"] == "/account"
    headers = cookie_of(answer)
    assert service.get(path, token=None).status == 401
    page = service.get("/account", token=None, headers=headers)
    assert "Your present password" not in page.text
    fields = {"csrf": csrf(page), "password": OTHER, "again": OTHER}
    assert form(service, "/account/password", fields, headers).status == 303
    assert signed_in(service, "lena", OTHER, "192.0.2.80").status == 303


def test_signing_in_again_leaves_no_session_behind(service: Barograph) -> None:
    first = cookie_of(signed_in(service, "alice", address="192.0.2.90"))
    again = form(
        service, "/sign-in", {"name": "alice", "password": PASSWORD}, {**first, "X-Forwarded-For": "192.0.2.90"}
    )
    assert again.status == 303
    assert service.get("/account", token=None, headers=first).status == 303
    assert service.get("/account", token=None, headers=cookie_of(again)).status == 200


def test_admins_see_and_end_sessions_on_the_page_by_the_api_and_the_command_line(service: Barograph) -> None:
    here(service, "user", "add", "sam", "--role", "viewer", text=f"{PASSWORD}\n")
    three = [cookie_of(signed_in(service, "sam", address=f"192.0.2.{n}")) for n in (101, 102, 103)]
    listed = {one["address"]: one for one in service.json("/api/v1/sessions")["items"] if one["name"] == "sam"}
    assert set(listed) == {"192.0.2.101", "192.0.2.102", "192.0.2.103"}
    by_cli = json.loads(here(service, "session", "list", "--json").stdout)
    assert listed["192.0.2.101"] in by_cli
    assert service.call("DELETE", f"/api/v1/sessions/{listed['192.0.2.101']['id']}").status == 200
    assert here(service, "session", "end", listed["192.0.2.102"]["id"]).exit_code == 0
    assert here(service, "session", "end", listed["192.0.2.102"]["id"]).exit_code == 3
    admin = cookie_of(signed_in(service, "alice", address="192.0.2.104"))
    page = service.get("/access", token=None, headers=admin)
    ending = f"/access/sessions/{listed['192.0.2.103']['id']}/end"
    assert ending in page.text
    assert form(service, ending, {"csrf": "x"}, admin).status == 400
    assert form(service, ending, {"csrf": csrf(page)}, admin).status == 303
    for headers in three:
        service.until(lambda headers=headers: service.get("/account", token=None, headers=headers).status == 303)  # type: ignore[misc]  # bound at once


def test_a_viewer_ends_only_their_own_sessions(service: Barograph) -> None:
    victor = cookie_of(signed_in(service, "victor", address="192.0.2.110"))
    alice = cookie_of(signed_in(service, "alice", address="192.0.2.111"))
    sam = next(one for one in service.json("/api/v1/sessions")["items"] if one["address"] == "192.0.2.111")
    proof = csrf(service.get("/account", token=None, headers=victor))
    assert form(service, f"/account/sessions/{sam['id']}/end", {"csrf": proof}, victor).status == 404
    assert form(service, f"/access/sessions/{sam['id']}/end", {"csrf": proof}, victor).status == 403
    assert service.get("/access", token=None, headers=victor).status == 403
    assert service.get("/account", token=None, headers=alice).status == 200
    mine = next(one for one in service.json("/api/v1/sessions")["items"] if one["address"] == "192.0.2.110")
    assert form(service, f"/account/sessions/{mine['id']}/end", {"csrf": proof}, victor).status == 303
    assert service.get("/account", token=None, headers=victor).status == 303


def test_a_stream_ends_with_its_session(service: Barograph) -> None:
    import http.client

    here(service, "user", "add", "stella", "--role", "viewer", text=f"{PASSWORD}\n")
    headers = cookie_of(signed_in(service, "stella", address="192.0.2.115"))
    listening = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    listening.request("GET", "/api/v1/stream", headers=headers)
    answer = listening.getresponse()
    assert answer.status == 200
    service.call("PATCH", "/api/v1/accounts/stella", {"disabled": True})
    service.until(lambda: service.get("/account", token=None, headers=headers).status == 303)
    service.post("/api/v1/incidents", {"title": "nothing for stella", "severity": "info"})
    service.post("/api/v1/incidents", {"title": "nothing for stella either", "severity": "info"})
    told = answer.read()
    listening.close()
    assert told.count(b"event: change") <= 1


def test_accounts_and_keys_by_the_api(service: Barograph) -> None:
    assert service.post("/api/v1/accounts", {"name": "Ada", "role": "viewer", "groups": ["sre"]}).status == 201
    assert service.post("/api/v1/accounts", {"name": "ada", "role": "viewer"}).status == 409
    assert service.post("/api/v1/accounts", {"name": "a b", "role": "viewer"}).status == 400
    changed = service.call("PATCH", "/api/v1/accounts/ada", {"role": "admin", "groups": [], "disabled": True}).json()
    assert (changed["role"], changed["groups"], bool(changed["disabled_at"])) == ("admin", [], True)
    for wrong in ({}, {"role": "root"}, {"disabled": 1}, {"groups": "x"}):
        assert service.call("PATCH", "/api/v1/accounts/ada", wrong).status == 400, wrong
    assert service.call("PATCH", "/api/v1/accounts/none", {"role": "admin"}).status == 404
    assert service.post("/api/v1/accounts/ada/link", {}).status == 409
    assert service.post("/api/v1/accounts/victor/link", {}).json()["url"].startswith(f"{service.url}/sign-in?token=bl_")

    made = service.post("/api/v1/keys", {"kind": "token", "role": "viewer", "name": "bot", "days": 7}).json()
    assert service.get("/api/v1/incidents", token=made["key"]).status == 200
    new = service.post(f"/api/v1/keys/{made['id']}/replace", {"overlap_hours": 1}).json()
    assert new["former"]["id"] == made["id"]
    for key in (made["key"], new["key"]):
        assert service.get("/api/v1/incidents", token=key).status == 200
    assert service.call("DELETE", f"/api/v1/keys/{made['id']}").status == 200
    assert service.call("DELETE", f"/api/v1/keys/{made['id']}").status == 404
    assert service.get("/api/v1/incidents", token=made["key"]).status == 401
    mistyped = new["key"][:-3] + ("AAA" if new["key"][-3:] != "AAA" else "BBB")
    assert "mistyped" in service.get("/api/v1/incidents", token=mistyped).json()["detail"]
    assert "mistyped" in form(service, "/sign-in", {"token": mistyped}, {"X-Forwarded-For": "192.0.2.120"}).text
    for wrong in (
        {"kind": "session"},
        {"kind": "token", "role": "root"},
        {"kind": "token", "role": "viewer", "days": 0},
    ):
        assert service.post("/api/v1/keys", wrong).status == 400, wrong
    assert service.post("/api/v1/keys", {"kind": "ingest", "source": "none"}).status == 404
    ingest = service.post("/api/v1/keys", {"kind": "ingest", "source": "am"}).json()["key"]
    assert service.post("/in/am", {"x": 1}, token=ingest).status == 202
    for key in (made["key"], new["key"], ingest):
        assert key not in service.get("/api/v1/keys").text + service.get("/access").text + service.log


def test_keys_on_the_command_line(service: Barograph) -> None:
    token = here(service, "token", "create", "--role", "viewer", "--name", "cli-bot", "--days", "3").stdout.strip()
    checked = here(service, "key", "check", text=f"{token}\n")
    assert (checked.exit_code, "token of cli-bot, viewer, until" in checked.stdout) == (0, True), checked.stderr
    assert token not in checked.stdout + checked.stderr
    wrong = here(service, "key", "check", text=token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert (wrong.exit_code, "mistyped" in wrong.stderr) == (4, True)
    ident = checked.stdout.split()[0]
    rotated = here(service, "key", "rotate", ident, "--overlap-hours", "0")
    assert rotated.exit_code == 0, rotated.stderr
    assert here(service, "key", "check", text=token).exit_code == 4
    assert here(service, "key", "check", text=rotated.stdout).exit_code == 0
    assert here(service, "key", "rotate", ident).exit_code == 3
    rows = json.loads(here(service, "key", "list", "--json").stdout)
    of_file = next(row for row in rows if row["owner"] == "file")
    assert here(service, "key", "rotate", of_file["id"]).exit_code == 5
    assert "used_at" in of_file


def test_passwords_on_the_command_line_come_from_stdin(service: Barograph) -> None:
    weak = here(service, "user", "add", "weak", "--role", "viewer", text="password1234\n")
    assert (weak.exit_code, "easily guessed" in weak.stderr) == (1, True)
    assert here(service, "user", "add", "weak", "--role", "viewer", text="").exit_code == 1
    assert here(service, "users", "list").stdout == here(service, "user", "list").stdout, "both names are typed"
    assert here(service, "user", "password", "none", text=f"{PASSWORD}\n").exit_code == 3
    assert here(service, "user", "password", "victor", text=f"{OTHER}\n").exit_code == 0
    assert signed_in(service, "victor", OTHER, "192.0.2.130").status == 303
    assert here(service, "user", "role", "victor", "responder").exit_code == 0
    assert here(service, "user", "groups", "victor", "sre", "leads").exit_code == 0
    assert here(service, "user", "role", "none", "viewer").exit_code == 3
    (one,) = [one for one in json.loads(here(service, "user", "list", "--json").stdout) if one["name"] == "victor"]
    assert (one["role"], one["groups"], one["sessions"]) == ("responder", ["sre", "leads"], 0)
    assert "argon2" not in json.dumps(one)


# --- rates ----------------------------------------------------------------------------------------------------------


def test_people_have_a_rate_and_monitors_none_and_the_first_start_has_no_account(barograph: StartBarograph) -> None:
    service = barograph(CONFIG, settings={"REQUESTS_PER_MINUTE": "30"})
    assert service.json("/api/v1/accounts")["items"] == []
    assert form(service, "/sign-in", {"name": "admin", "password": "admin"}, {}).status == 401
    token = service.post("/api/v1/keys", {"kind": "token", "role": "viewer"}).json()["key"]
    other = service.post("/api/v1/keys", {"kind": "token", "role": "viewer"}).json()["key"]
    asked = [service.get("/api/v1/sites", token=token) for _ in range(70)]
    assert [answer.status for answer in asked[:30]] == [200] * 30
    slow = next(answer for answer in asked if answer.status == 429)
    assert slow.json()["type"].endswith("#too-many-requests")
    assert int(slow.headers["Retry-After"]) >= 1
    page = next(answer for _ in range(30) if (answer := service.get("/incidents", token=token)).status == 429)
    assert "Content-Security-Policy" in page.headers
    assert {service.get("/api/v1/sites", token="x").status for _ in range(70)} == {401, 429}
    assert 429 in {service.get("/sign-in", token=None).status for _ in range(30)}
    assert service.get("/api/v1/sites", token=other).status == 200, "a key that is known is let in from there"
    # Neither what is asked by an admin's automation, nor probes, nor any monitor, right or wrong.
    assert {service.get("/api/v1/sites").status for _ in range(40)} == {200}
    assert {service.get("/livez", token=None).status for _ in range(40)} == {200}
    assert {service.post("/in/am", {"x": 1}, token=INGEST_KEY).status for _ in range(60)} == {202}
    assert {service.post("/in/am", {"x": 1}, token="wrong").status for _ in range(60)} == {401}
    service.restart()
    noted = service.json("/api/v1/audit?act=rate_limited")["items"]
    assert sum(act["params"]["count"] for act in noted) >= 10


# --- seen -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "called"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.0", "curl/8.0"),
        (None, "unknown"),
    ],
)
def test_a_browser_is_called_by_the_name_that_people_know(agent: str | None, called: str) -> None:
    assert browser_named(agent) == called
