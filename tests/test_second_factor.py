"""Second factors: codes of authenticators and recovery codes, each of use once, after a right password."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import sqlalchemy as sa

from dashboards.access_page import account_page
from dashboards.qr_code import qr_svg
from incidents import audit
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import Store
from incidents.tables import AuditRow
from incidents.views.access_view import Factor
from incidents.views.view import Viewer
from service import clock
from service.identity import accounts, first_halves, guesses, second_factor, sessions
from service.identity.access import Access
from service.identity.second_factor import FACTOR, RECOVERY, CodeNeededError, step_of
from service.identity.sessions import Origin
from service.identity.throttle import Guesses, code_guards
from tests.senders import CONFIG
from tests.servers import Answer, Barograph
from tests.test_access import csrf, form
from tests.test_accounts import PASSWORD
from tests.test_signing_in import cookie_of, here, signed_in

KEY = b"k" * 32
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""RFC 6238's."""
HERE = Origin("192.0.2.7", "Firefox of alice")


def early_in_a_step() -> None:
    """A code that was taken must still be that of the present step when it is tried again."""
    while clock.now().timestamp() % second_factor.STEP_SECONDS > second_factor.STEP_SECONDS - 8:
        time.sleep(0.2)


def code_of(secret: str, steps: int = 0) -> str:
    """What an authenticator shows so many steps from now."""
    return pyotp.TOTP(secret).at(clock.now(), counter_offset=steps)


# --- codes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B, the last six of its eight digits; the secret is "12345678901234567890"."""
    secret, at = SECRET, datetime.fromtimestamp(seconds, UTC)
    assert step_of(secret, code, at) == seconds // 30
    assert step_of(secret, code, at + timedelta(seconds=30)) == seconds // 30, "a clock that is a step slow"
    assert step_of(secret, code, at - timedelta(seconds=30)) == seconds // 30, "a clock that is a step fast"
    assert step_of(secret, code, at + timedelta(seconds=60)) is None
    assert step_of(secret, code, at, after=seconds // 30) is None, "it was taken"
    for wrong in ("", "28708", "2870822", "é87082", "\ud800"):
        assert step_of(secret, wrong, at) is None


def test_many_addresses_together_have_few_guesses_and_the_owner_still_comes_in() -> None:
    guesses, judged = Guesses(), 0
    for n in range(200):
        judged += guesses.begin(code_guards("alice", f"192.0.2.{n}", known=False), float(n)) == 0
    assert judged <= 20
    assert guesses.begin(code_guards("alice", "198.51.100.1", known=True), 200.0) == 0


def test_who_rests_between_guesses_has_not_ten_more_each_time() -> None:
    guesses, judged = Guesses(), 0
    for second in range(0, 86_400, 60):
        rests = second % 3000 >= 1000
        judged += not rests and guesses.begin(code_guards("alice", "192.0.2.1", known=False), float(second)) == 0
    assert judged <= 100


def test_the_drawing_is_paths_alone() -> None:
    drawn = qr_svg(second_factor.address_of(SECRET, "a<b>'\"&c", at="b.example"))
    assert set(re.findall(r"<(\w+)", drawn)) == {"svg", "g", "path"}
    assert "style" not in drawn
    assert "a<b" not in drawn


def test_an_authenticator_is_told_whose_code_it_is() -> None:
    told = urlsplit(second_factor.address_of(SECRET, "alice", at="b.example"))
    assert (told.scheme, told.netloc) == ("otpauth", "totp")
    assert told.path == "/Barograph%20b.example:alice"
    assert parse_qs(told.query) == {"secret": [SECRET], "issuer": ["Barograph b.example"]}


# --- in the store ---------------------------------------------------------------------------------------------------


def enrolled(store: Store, name: str = "alice") -> tuple[str, list[str]]:
    """An account with a second factor: its secret and recovery codes."""
    accounts.add(store, name, "responder", by="cli:x", password="$argon2id$x")
    early_in_a_step()
    secret = accounts.begin_factor(store, KEY, name)
    return secret, accounts.confirm_factor(store, KEY, name, code_of(secret), by=f"user:{name}")


def opened(store: Store) -> Access:
    access = Access(store, admin_token=None, secret_key=KEY)
    access.refresh()
    return access


def begun(access: Access, code: str | None, name: str = "alice") -> str | None:
    return sessions.of_account(access, name, "password", HERE, code)


def test_no_session_begins_without_a_code_and_each_code_begins_one(store: Store) -> None:
    secret, codes = enrolled(store)
    _, others = enrolled(store, "bob")
    access = opened(store)
    for wrong in (None, "", "000000", "x" * 500, others[0], code_of(secret)):  # the last one confirmed the set-up
        with pytest.raises(CodeNeededError):
            begun(access, wrong)
    following = code_of(secret, 1)
    key = begun(access, f" {following[:3]} {following[3:]} ")
    assert key
    with pytest.raises(CodeNeededError):
        begun(access, following)
    assert begun(access, codes[3].upper().replace("-", " "))
    with pytest.raises(CodeNeededError):
        begun(access, codes[3])
    with store.reading() as connection:
        assert second_factor.codes_left(connection, "alice") == 9
        ways = {one.way for one in sessions.listed(connection, access) if one.name == "alice"}
        acts = set(connection.execute(sa.select(AuditRow.act)).scalars())  # type: ignore[call-overload]  # SQLModel's column
        kept = connection.execute(sa.select(FACTOR.c.sealed)).scalars().all()
        digests = connection.execute(sa.select(RECOVERY.c.sha256)).scalars().all()
    assert ways == {"code", "recovery"}
    assert {"second_factor_set", "recovery_codes_made", "recovery_code_used"} <= acts
    assert not any(secret in text for text in kept)
    assert not set(digests) & set(codes)


def test_of_two_who_show_the_same_code_one_comes_in(store: Store) -> None:
    secret, codes = enrolled(store)
    access = opened(store)

    def come(code: str) -> bool:
        try:
            return begun(access, code) is not None
        except CodeNeededError:
            return False

    with ThreadPoolExecutor(4) as threads:
        for code in (code_of(secret, 1), codes[0]):
            assert sum(threads.map(come, [code] * 4)) == 1


def test_a_link_asks_for_the_code_too_and_a_wrong_one_does_not_spend_it(store: Store) -> None:
    _, codes = enrolled(store)
    access = opened(store)
    link = accounts.link(store, "alice", by="cli:x")
    for wrong in (None, "000000"):
        with pytest.raises(CodeNeededError):
            sessions.by_link(access, link, HERE, wrong)
    assert sessions.by_link(access, link, HERE, codes[0])
    assert sessions.by_link(access, link, HERE, codes[1]) is None
    with store.reading() as connection:
        assert second_factor.codes_left(connection, "alice") == 9, "a link that is spent spends no code"


def test_it_is_set_up_once_and_taken_away_by_a_code_or_an_admin(store: Store) -> None:
    secret, codes = enrolled(store)
    access = opened(store)
    assert begun(access, codes[0])
    with pytest.raises(ConflictError):
        accounts.begin_factor(store, KEY, "alice")
    with pytest.raises(CodeNeededError):
        accounts.remove_factor(store, KEY, "alice", "000000", by="user:alice")
    others = accounts.new_recovery_codes(store, KEY, "alice", code_of(secret, 1), by="user:alice")
    with pytest.raises(CodeNeededError):
        begun(access, codes[1])
    accounts.remove_factor(store, KEY, "alice", others[0], by="user:alice")
    assert begun(access, None)
    with pytest.raises(ConflictError):
        accounts.reset_factor(store, "alice", by="cli:x")
    again = accounts.begin_factor(store, KEY, "alice")
    assert begun(access, None), "until a first code nobody is asked for one"
    accounts.confirm_factor(store, KEY, "alice", code_of(again), by="user:alice")
    access.refresh()
    with store.reading() as connection:
        assert not sessions.listed(connection, access), "what was begun by a password alone ends"
    accounts.reset_factor(store, "alice", by="cli:x")
    assert begun(access, None)
    with pytest.raises(NotFoundError):
        accounts.reset_factor(store, "nobody", by="cli:x")


def test_under_another_secret_key_recovery_codes_are_left(store: Store) -> None:
    secret, codes = enrolled(store)
    access = Access(store, admin_token=None, secret_key=b"another" * 8)
    with pytest.raises(CodeNeededError):
        begun(access, code_of(secret, 1))
    assert begun(access, codes[0])


def test_who_must_have_one_is_told_by_role_and_the_providers_people_are_left_out(store: Store) -> None:
    enrolled(store)
    for name, role in (("vic", "viewer"), ("rob", "responder"), ("ada", "admin")):
        accounts.add(store, name, role, by="cli:x", password="$argon2id$x")
    accounts.provided(store, "https://id.example", "s", name="olga", role="admin", groups=())
    with store.reading() as connection:
        assert second_factor.lacking(connection, ()) == frozenset()
        assert second_factor.lacking(connection, ("responder", "admin")) == {"rob", "ada"}


def test_many_processes_together_give_no_more_guesses_than_one(store: Store) -> None:
    asked, now, judged = code_guards("alice", "192.0.2.1", known=False), clock.now(), 0
    for _ in range(30):
        judged += guesses.begin(store, asked, now) == 0
    assert judged == 6, "five are free, and after the sixth the next has to wait"
    assert 0 < guesses.begin(store, asked, now) <= 1
    assert guesses.begin(store, asked, now + timedelta(seconds=1.1)) == 0
    assert guesses.begin(store, asked, now + timedelta(seconds=2.2)) > 0, "and longer each time"
    assert guesses.begin(store, code_guards("bob", "192.0.2.1", known=False), now) == 0
    guesses.forgive(store, asked)
    assert guesses.begin(store, asked, now) == 0
    with store.writing() as connection:
        guesses.forget(connection, now)
        assert len(connection.execute(sa.select(guesses.GUESS)).all()) == 4
        guesses.forget(connection, now + timedelta(days=2))
        assert not connection.execute(sa.select(guesses.GUESS)).all()


def test_at_once_from_several_processes_no_guess_goes_uncounted(store: Store) -> None:
    asked, now = code_guards("alice", "192.0.2.1", known=False), clock.now()
    with ThreadPoolExecutor(4) as threads:
        waits = list(threads.map(lambda _: guesses.begin(store, asked, now), range(20)))
    assert sum(not pause for pause in waits) == 6


def test_what_is_kept_of_guesses_is_bounded_and_names_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "MOST_KEPT", 10)
    now = clock.now()
    for n in range(8):
        guesses.begin(store, code_guards(f"name-{n}", "192.0.2.1", known=False), now + timedelta(seconds=n))
    with store.writing() as connection:
        guesses.forget(connection, now)
        rows = connection.execute(sa.select(guesses.GUESS)).all()
    assert len(rows) == 10
    assert all(re.fullmatch("[0-9a-f]{64}", row.name) for row in rows)


def test_a_right_password_that_went_no_further_is_told_its_owner(store: Store) -> None:
    then = clock.now() - timedelta(hours=1)

    def acted(act: str, minute: float, address: str, way: str, name: str = "alice") -> None:
        by, of = ("nobody", name) if act == "code_asked" else (f"user:{name}", "x")
        with store.writing() as connection:
            audit.append(connection, act, by=by, of=of, now=then + timedelta(minutes=minute), address=address, way=way)

    acted("code_asked", 0, "192.0.2.1", "password")
    acted("signed_in", 1, "192.0.2.1", "code")
    acted("code_asked", 2, "198.51.100.1", "password")  # a thief
    acted("code_asked", 3, "192.0.2.1", "password")
    acted("signed_in", 4, "192.0.2.1", "token")  # no sign-in of this kind
    acted("signed_in", 20, "192.0.2.1", "code")  # too late for it
    acted("code_asked", 30, "203.0.113.1", "link", "bob")
    acted("code_asked", 60, "203.0.113.2", "link")  # may still be given
    with store.reading() as connection:
        found = first_halves.stopped(connection, "alice")
    assert [(one.address, one.way) for one in found] == [("192.0.2.1", "password"), ("198.51.100.1", "password")]
    viewer, factor = Viewer("alice", "viewer", "UTC"), Factor()
    page = partial(account_page, (), viewer, now=clock.now(), current="", groups=(), password="set", factor=factor)
    told = page(stopped=found)
    assert "stopped at the code" in told
    assert "198.51.100.1" in told
    assert "stopped at the code" not in page()


# --- served ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    settings = {"TRUSTED_PROXIES": "127.0.0.0/8", "SECOND_FACTOR_FROM": "admin"}
    running = Barograph(tmp_path_factory.mktemp("factors"), CONFIG, settings=settings)
    running.start()
    for name, role in (("alice", "admin"), ("rita", "responder")):
        assert here(running, "user", "add", name, "--role", role, text=f"{PASSWORD}\n").exit_code == 0
    yield running
    running.end()


def posted(service: Barograph, path: str, headers: dict[str, str], **fields: str) -> Answer:
    proof = csrf(service.get("/account", token=None, headers=headers))
    return form(service, path, {"csrf": proof, **fields}, headers)


def set_up(service: Barograph, headers: dict[str, str]) -> tuple[str, list[str]]:
    """Through the page: the secret and the recovery codes."""
    page = posted(service, "/account/second-factor", headers, former=PASSWORD)
    assert page.status == 200, page.text
    found = re.search(r'id="factor-key">([^<]+)<', page.text)
    assert found
    secret = found[1].replace(" ", "")
    wrong = posted(service, "/account/second-factor/confirm", headers, code="000000", secret=secret)
    assert (wrong.status, found[1] in wrong.text) == (400, True), "the same key, for another try"
    thief = posted(service, "/account/second-factor/confirm", headers, code="000000", secret="")
    assert (thief.status, found[1] in thief.text) == (400, False), "a session alone is not told the key"
    done = posted(service, "/account/second-factor/confirm", headers, code=code_of(secret))
    assert done.status == 200, done.text
    codes = re.findall(r"(?:[a-z2-7]{4}-){5}[a-z2-7]{4}", done.text.partition("data-copy")[0])
    assert len(set(codes)) == 10
    return secret, codes


def half(answer: Answer) -> dict[str, str]:
    """The cookie of a sign-in that waits for its code."""
    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in/code"), answer.text
    given = answer.headers["Set-Cookie"]
    assert given.startswith("barograph_half=")
    assert "HttpOnly" in given
    return {"Cookie": given.partition(";")[0]}


def coded(service: Barograph, headers: dict[str, str], code: str, address: str = "192.0.2.1", **more: str) -> Answer:
    return form(service, "/sign-in/code", {"code": code}, {**headers, "X-Forwarded-For": address, **more})


def session_of(answer: Answer) -> dict[str, str]:
    assert answer.status == 303, answer.text
    kept = [line.partition(";")[0] for line in answer.headers.get_all("Set-Cookie") or []]
    return {"Cookie": next(one for one in kept if one.startswith("barograph_session="))}


def test_a_person_sets_it_up_and_signs_in_by_password_and_code(service: Barograph) -> None:
    first = cookie_of(signed_in(service, "rita"))
    elsewhere = cookie_of(signed_in(service, "rita", address="192.0.2.2"))
    assert posted(service, "/account/second-factor", first, former="not it").status == 400
    assert form(service, "/account/second-factor", {"csrf": "x", "former": PASSWORD}, first).status == 400
    secret, codes = set_up(service, first)
    assert service.get("/incidents", token=None, headers=first).status == 200
    service.until(lambda: service.get("/incidents", token=None, headers=elsewhere).status == 303)
    waiting = half(signed_in(service, "rita"))
    assert service.get("/incidents", token=None, headers=waiting).status == 303, "half a sign-in opens nothing"
    assert "authenticator shows" in service.get("/sign-in/code", token=None, headers=waiting).text
    assert coded(service, waiting, code_of(secret)).status == 401, "it was used to turn it on"
    assert coded(service, waiting, code_of(secret, 1), **{"Sec-Fetch-Site": "cross-site"}).status == 403
    again = session_of(coded(service, waiting, code_of(secret, 1)))
    assert "by a password and a code" in service.get("/account", token=None, headers=again).text
    assert coded(service, waiting, code_of(secret, 1)).status == 401
    asked = service.json("/api/v1/audit?act=code_asked")["items"][0]
    assert (asked["subject"], asked["address"], asked["params"]) == ("rita", "192.0.2.1", {"way": "password"})
    by_recovery = session_of(coded(service, half(signed_in(service, "rita")), codes[0]))
    assert "9 recovery codes left" in service.get("/account", token=None, headers=by_recovery).text
    assert coded(service, half(signed_in(service, "rita")), codes[0]).status == 401
    assert secret not in service.log
    assert not any(code in service.log + service.get("/api/v1/audit").text for code in codes)


def test_by_https_cookies_are_taken_from_nobody_who_spoke_plain_http(service: Barograph) -> None:
    assert here(service, "user", "add", "hedi", "--role", "viewer", text=f"{PASSWORD}\n").exit_code == 0
    tls, given = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.50"}, {"name": "hedi", "password": PASSWORD}
    kept = form(service, "/sign-in", given, tls).headers["Set-Cookie"]
    assert kept.startswith("__Host-barograph_session=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(kept.split("; "))
    assert "Domain" not in kept
    mine, key = kept.partition(";")[0], kept.partition("=")[2].partition(";")[0]
    plain = f"barograph_session={key}"

    def seen(cookie: str, headers: dict[str, str]) -> int:
        return service.get("/incidents", token=None, headers={"Cookie": cookie, **headers}).status

    assert (seen(mine, tls), seen(plain, tls), seen(mine, {}), seen(plain, {})) == (200, 303, 303, 200)
    page = service.get("/account", token=None, headers={"Cookie": mine, **tls})
    out = form(service, "/sign-out", {"csrf": csrf(page)}, {"Cookie": mine, **tls})
    (gone,) = out.headers.get_all("Set-Cookie") or []
    assert gone.startswith("__Host-barograph_session=")
    assert "Secure" in gone, "or no browser takes it"
    assert seen(mine, tls) == 303


def test_a_sign_in_that_was_not_begun_here_is_none(service: Barograph) -> None:
    assert service.get("/sign-in/code", token=None).headers["Location"] == "/sign-in"
    for cookie in ({}, {"Cookie": "barograph_half=x"}, {"Cookie": "barograph_half=gAAAAABx"}):
        assert coded(service, cookie, "000000", "192.0.2.9").status == 401


def test_guesses_at_a_code_are_slowed_down(service: Barograph) -> None:
    assert here(service, "user", "add", "gil", "--role", "viewer", text=f"{PASSWORD}\n").exit_code == 0
    _, codes = set_up(service, cookie_of(signed_in(service, "gil", address="192.0.2.20")))
    waiting = half(signed_in(service, "gil", address="192.0.2.21"))
    statuses = [coded(service, waiting, "000000", "192.0.2.21").status for _ in range(12)]
    assert statuses[:5] == [401] * 5
    assert 429 in statuses
    late = coded(service, waiting, codes[0], "192.0.2.21")
    assert late.status == 429
    assert int(late.headers["Retry-After"]) >= 1


def test_who_lost_it_is_helped_by_an_admin(service: Barograph) -> None:
    for name in ("lou", "mia"):
        assert here(service, "user", "add", name, "--role", "viewer", text=f"{PASSWORD}\n").exit_code == 0
        set_up(service, cookie_of(signed_in(service, name, address="192.0.2.30")))
    assert {one["name"] for one in service.json("/api/v1/accounts")["items"] if one["has_second_factor"]} >= {
        "lou",
        "mia",
    }
    assert here(service, "user", "reset-factor", "lou").exit_code == 0
    assert here(service, "user", "reset-factor", "lou").exit_code == 5
    answer = service.call("DELETE", "/api/v1/accounts/mia/second-factor")
    assert (answer.status, answer.json()["has_second_factor"]) == (200, False)
    for name in ("lou", "mia"):
        cookie_of(signed_in(service, name, address="192.0.2.30"))
    acts = service.json("/api/v1/audit?act=second_factor_removed")["items"]
    assert {act["subject"] for act in acts} == {"lou", "mia"}


def test_an_admin_without_one_may_set_it_up_and_do_nothing_else(service: Barograph) -> None:
    headers = cookie_of(signed_in(service, "alice", address="192.0.2.40"))
    for path in ("/", "/incidents", "/access", "/settings"):
        answer = service.get(path, token=None, headers=headers)
        assert (answer.status, answer.headers["Location"]) == (303, "/account"), path
    refused = service.get("/api/v1/incidents", token=None, headers=headers)
    assert (refused.status, "second factor" in refused.text) == (403, True)
    page = service.get("/account", token=None, headers=headers)
    assert "must have a second factor" in page.text
    assert form(service, "/incidents", {"csrf": csrf(page), "title": "x", "severity": "error"}, headers).status == 303
    _, codes = set_up(service, headers)
    assert service.get("/access", token=None, headers=headers).status == 200
    assert posted(service, "/account/second-factor/remove", headers, code=codes[0]).status == 303
    assert service.get("/access", token=None, headers=headers).status == 303, "and without one again nothing"
