"""Accounts, passwords and sessions; keys that end and are replaced; throttles for people and never for monitors."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from dashboards.access_page import browser as browser_named
from incidents.refusals import ConflictError, NotFoundError
from incidents.retention import Retention
from incidents.store import Store
from service import clock
from service.identity import accounts, addresses, credentials, key_texts, passwords, sessions
from service.identity.access import KEY, USE, Access
from service.identity.passwords import MOST_WAITING, BusyError, Passwords
from service.identity.sessions import Origin
from service.identity.throttle import MOST_KEPT, Guesses, Rates, guards

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
