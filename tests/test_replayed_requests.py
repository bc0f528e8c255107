"""Signed deliveries over real HTTP: taken once, however often somebody sends them, and refused when they are old."""

from __future__ import annotations

import base64
import hmac
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa

from incidents import deliveries
from incidents.deliveries import DELIVERY, UNREAD, Arrival
from incidents.proofs import repeats
from incidents.proofs.repeats import SEEN
from incidents.proofs.signatures import Proof
from incidents.receipts import DeliveryIds
from incidents.store import Store
from service import clock
from tests.conftest import StartBarograph
from tests.senders import problem_of
from tests.servers import Answer, Barograph

KEY = "tests-signed-key-0123456789abcdef012345"
OLD, NEW = "the secret before", "the secret after"
SHARED_KEY = b"twenty-four random bytes"
CONFIG = f"""
[[sources]]
name = "svc"
adapter = "generic"
key = "{KEY}"
verify = "standard-webhooks"
secret = "whsec_{base64.b64encode(SHARED_KEY).decode()}"

[[sources]]
name = "gh"
adapter = "github"
secret_file = "gh.secret"

[[sources]]
name = "plain"
adapter = "generic"
key = "{KEY[::-1]}"
"""


@pytest.fixture
def configured(barograph: StartBarograph, tmp_path: Any) -> Any:
    """Starts a service with the sources above, as often as asked, on one database."""
    (tmp_path / "gh.secret").write_text(f"{OLD}\n{NEW}\n")
    (tmp_path / "sources.toml").write_text(CONFIG)

    def start_one(url: str | None = None) -> Barograph:
        return barograph(
            database_url=url,
            settings={"SECRET_KEY": "tests-secret-key-0123456789abcdef012345"},
            args=("--config", str(tmp_path / "sources.toml")),
        )

    return start_one


def standard(body: bytes, identifier: str, ago: timedelta = timedelta()) -> dict[str, str]:
    """The headers of a Standard Webhook that was signed so long ago."""
    seconds = str(int((clock.now() - ago).timestamp()))
    content = f"{identifier}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.digest(SHARED_KEY, content, "sha256")).decode()
    return {"webhook-id": identifier, "webhook-timestamp": seconds, "webhook-signature": f"v1,{signature}"}


def hub(body: bytes, secret: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return {"X-GitHub-Event": "ping", "X-Hub-Signature-256": f"sha256={digest}"}


def item(key: str) -> bytes:
    return json.dumps({"key": key, "status": "firing", "title": f"{key} is on"}).encode()


def send(service: Barograph, source: str, body: bytes, headers: dict[str, str]) -> Answer:
    return service.post(f"/in/{source}", body, token=None, headers=headers)


def of(service: Barograph, source: str) -> dict[str, Any]:
    return next(s for s in service.json("/api/v1/sources")["items"] if s["name"] == source)


def stored(service: Barograph, source: str) -> int:
    return sum(d["source"] == source for d in service.json("/api/v1/deliveries?limit=200")["items"])


def test_a_signed_delivery_is_taken_once_by_replicas_and_after_a_restart(configured: Any, database_url: str) -> None:
    first = configured(database_url)
    body = item("mill")
    headers = standard(body, "msg_1")
    answers = [send(first, "svc", body, headers) for _ in range(2)]
    if database_url.startswith("postgresql"):
        answers.append(send(configured(database_url), "svc", body, headers))
    first.restart()
    answers.append(send(first, "svc", body, headers))
    answers.append(send(first, "svc", body, standard(body, "msg_1", timedelta(seconds=5))))  # the sender's own retry
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json()["receipt"] for answer in answers}) == 1, (
        "each is told the receipt of the one that is stored"
    )
    assert first.read(answers[0].json()["receipt"])["state"] == "read"
    assert stored(first, "svc") == 1
    assert of(first, "svc")["repeated"] == len(answers) - 1
    assert of(first, "svc")["refused"] == 0
    assert send(first, "svc", body, standard(body, "msg_2")).json()["receipt"] != answers[0].json()["receipt"]
    assert stored(first, "svc") == 2
    page = first.get("/sources/svc").text
    assert f"{len(answers) - 1}, taken once" in page


def test_a_recorded_request_is_refused_when_its_time_is_over(configured: Any) -> None:
    service = configured()
    body = item("late")
    answer = send(service, "svc", body, standard(body, "msg_1", timedelta(minutes=6)))
    assert answer.status == 401
    assert problem_of(answer)["type"].endswith("#wrong-signature")
    assert "old" not in answer.text, "a stranger is not told what was wrong"
    service.restart()  # writes down what was refused
    source = of(service, "svc")
    assert (source["wrong_signatures"], source["refused"], source["repeated"]) == (1, 1, 0)
    assert re.fullmatch(r"the signed time is 36\d s old; 5 min are allowed", source["wrong_signature"])
    assert source["wrong_signature"] in service.get("/sources/svc").text
    assert stored(service, "svc") == 0


def test_the_last_reason_of_a_wrong_signature_is_shown(configured: Any) -> None:
    service = configured()
    body = b'{"zen": "Slow mills grind fine.", "hook_id": 1}'
    assert send(service, "gh", body, {}).status == 401
    assert send(service, "gh", body, hub(body, "another secret")).status == 401
    service.restart()
    assert of(service, "gh")["wrong_signatures"] == 2
    assert of(service, "gh")["wrong_signature"] == "no secret of this source fits the signature"
    page = service.get("/sources/gh").text
    assert "no secret of this source fits the signature" in page
    assert "2 secrets kept for that, by the configuration file" in page


def test_both_secrets_of_a_rotation_sign_and_the_same_bytes_are_one_delivery(configured: Any) -> None:
    service = configured()
    body = b'{"zen": "Slow mills grind fine.", "hook_id": 1}'
    answers = [send(service, "gh", body, hub(body, secret)) for secret in (OLD, NEW)]
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json()["receipt"] for answer in answers}) == 1


def test_many_at_once_are_one_delivery_and_as_many_repeats(configured: Any, database_url: str) -> None:
    service = configured(database_url)
    bodies = [item(f"mill-{n}") for n in range(5)]
    headers = [standard(body, f"msg_{n}") for n, body in enumerate(bodies)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: send(service, "svc", bodies[n % 5], headers[n % 5]), range(60)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json()["receipt"] for answer in answers}) == 5
    assert stored(service, "svc") == 5
    assert of(service, "svc")["repeated"] == 55


def test_what_comes_with_a_key_is_stored_each_time(configured: Any) -> None:
    service = configured()
    body = item("keyed")
    receipts = {service.send("svc", body, KEY, headers=standard(body, "msg_1")) for _ in range(2)}
    receipts |= {service.send("plain", body, KEY[::-1]) for _ in range(2)}
    assert len(receipts) == 4
    assert of(service, "svc")["repeated"] == 0


# The store's part


def arrival(number: int, proof: Proof | None, at: Any) -> Arrival:
    return Arrival(number, "svc", at, {}, b"{}", proof=proof)


def append(store: Store, *arrivals: Arrival) -> dict[int, int]:
    with store.writing() as connection:
        return dict(deliveries.append(connection, arrivals))


def count(store: Store, table: sa.Table) -> int:
    with store.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_repeats_within_one_commit_and_over_several(store: Store) -> None:
    ids, now = DeliveryIds(), clock.now()
    proof = Proof("p", now + timedelta(minutes=5))
    one, two, three, four = (ids.next(now) for _ in range(4))
    assert append(store, arrival(one, proof, now), arrival(two, proof, now), arrival(three, None, now)) == {two: one}
    assert append(store, arrival(four, proof, now)) == {four: one}
    assert (count(store, DELIVERY), count(store, UNREAD)) == (2, 2)


def test_a_proof_is_forgotten_when_it_can_no_longer_be_replayed(store: Store) -> None:
    ids, now = DeliveryIds(), clock.now()
    one, two, three = (ids.next(now) for _ in range(3))
    later = now + timedelta(minutes=6)
    assert append(store, arrival(one, Proof("p", now + timedelta(minutes=5)), now)) == {}
    assert append(store, arrival(two, Proof("p", later + timedelta(minutes=5)), later)) == {}
    assert append(store, arrival(three, Proof("p", later + timedelta(minutes=5)), later)) == {three: two}
    with store.writing() as connection:
        repeats.forget(connection, later)
    assert count(store, SEEN) == 1
    with store.writing() as connection:
        repeats.forget(connection, later + timedelta(minutes=5) + repeats.SKEW)
    assert count(store, SEEN) == 1
    with store.writing() as connection:
        repeats.forget(connection, later + timedelta(minutes=5, seconds=1) + repeats.SKEW)
    assert count(store, SEEN) == 0


def test_a_retry_that_is_signed_anew_is_remembered_for_as_long_as_it_can_be_replayed(store: Store) -> None:
    ids, now = DeliveryIds(), clock.now()
    one, two, three = (ids.next(now) for _ in range(3))
    retried, replayed = now + timedelta(minutes=4), now + timedelta(minutes=8)
    assert append(store, arrival(one, Proof("p", now + timedelta(minutes=5)), now)) == {}
    again = Proof("p", retried + timedelta(minutes=5))
    assert append(store, arrival(two, again, retried)) == {two: one}
    with store.writing() as connection:
        repeats.forget(connection, replayed)
    assert append(store, arrival(three, again, replayed)) == {three: one}


def test_a_proof_is_not_known_when_its_delivery_could_not_be_stored(store: Store) -> None:
    ids, now = DeliveryIds(), clock.now()
    number, proof = ids.next(now), Proof("p", now + timedelta(minutes=5))

    def fail() -> None:
        with store.writing() as connection:
            deliveries.append(connection, [arrival(number, proof, now)])
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        fail()
    assert append(store, arrival(ids.next(now), proof, now)) == {}


def test_two_writers_with_the_same_proofs_in_other_orders_store_each_once(postgresql_store: Store) -> None:
    ids, now = DeliveryIds(), clock.now()
    proofs = [Proof(f"p{n}", now + timedelta(minutes=5)) for n in range(40)]
    batches = [
        [arrival(ids.next(now), proof, now) for proof in order]
        for order in (proofs, proofs[::-1], proofs[20:] + proofs[:20], proofs[::-3])
    ]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: append(postgresql_store, *batch), batches))
    assert count(postgresql_store, DELIVERY) == count(postgresql_store, SEEN) == 40
    repeated = {number for one in found for number in one}
    assert len(repeated) == sum(map(len, batches)) - 40
    assert not repeated & {first for one in found for first in one.values()}


def test_proofs_of_two_sources_are_two(store: Store) -> None:
    ids, now = DeliveryIds(), clock.now()
    proof = Proof("p", now + timedelta(minutes=5))
    other = Arrival(ids.next(now), "other", now, {}, b"{}", proof=proof)
    assert append(store, arrival(ids.next(now), proof, now), other) == {}


# From the pages


def cookie(service: Barograph) -> dict[str, str]:
    link = service.cli("sign-in").stdout
    answer = service.get("/sign-in?token=" + link.partition("token=")[2].split()[0], token=None)
    return {"Cookie": str(answer.headers["Set-Cookie"].partition(";")[0])}


def form(service: Barograph, path: str, fields: dict[str, str], session: dict[str, str], shown: str = "") -> Answer:
    """Fill in a form of the page `shown`, as an admin's browser does."""
    page = service.get(shown or path, token=None, headers=session)
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text[:300]
    headers = {"Content-Type": "application/x-www-form-urlencoded", **session}
    return service.call("POST", path, urlencode({**fields, "csrf": found[1]}), token=None, headers=headers)


def test_a_source_of_the_pages_chooses_its_scheme_and_its_secrets_are_replaced(configured: Any) -> None:
    service = configured()
    session = cookie(service)
    made = {"adapter": "generic", "name": "svix", "verify": "standard-webhooks", "secret": "whsec_AAAA"}
    assert form(service, "/sources", made, session, "/sources/new").status == 303
    page = service.get("/sources/svix", token=None, headers=session)
    assert "whsec_AAAA" not in page.text
    assert "1 secret kept for that" in page.text
    body = item("svix")
    assert send(service, "svix", body, standard(body, "msg_1")).status == 401
    good = f"whsec_AAAA\nwhsec_{base64.b64encode(SHARED_KEY).decode()}"
    assert form(service, "/sources/svix/secrets", {"secret": good}, session, "/sources/svix").status == 303
    page = service.get("/sources/svix", token=None, headers=session)
    assert "2 secrets kept for that" in page.text
    assert send(service, "svix", body, standard(body, "msg_1")).status == 202
    refused = form(service, "/sources/svc/secrets", {"secret": good}, session, "/sources/svix")
    assert refused.status == 409, "what the file gives is changed in the file"
    assert form(service, "/sources/none/secrets", {"secret": good}, session, "/sources/svix").status == 404
    unknown = form(service, "/sources", {**made, "name": "x", "verify": "hmac"}, session, "/sources/new")
    assert unknown.status == 400
    assert "not a scheme that is known here" in unknown.text
