"""Secrets of our own making, valid in shape and good for nothing; no scanner is to take them for real.

`PLANTED` holds each: the words that a payload might have around it, and the secret that nobody may see.
"""

from __future__ import annotations

import base64
import hashlib
import string
from dataclasses import dataclass

LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
MIXED = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Planted:
    """`text` is `around` with the secret in it."""

    name: str
    around: str
    secret: str

    @property
    def text(self) -> str:
        """As a payload has it."""
        return self.around.replace("@@", self.secret)


def made_up(name: str, length: int, letters: str = MIXED) -> str:
    """So many letters, the same for the same name."""
    found, turn = "", 0
    while len(found) < length:
        found += "".join(letters[b % len(letters)] for b in hashlib.sha256(f"{name}{turn}".encode()).digest())
        turn += 1
    return found[:length]


def _jwt(name: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(b'{"sub":"%s","role":"ops"}' % name.encode()).decode().rstrip("=")
    return f"{head}.{body}.{made_up(name, 43)}"


def _pem(kind: str) -> str:
    lines = "\n".join(made_up(f"{kind}{n}", 64) for n in range(4))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


def _basic(user: str, word: str) -> str:
    return base64.b64encode(f"{user}:{word}".encode()).decode()


def _with(prefix: str, name: str, length: int, letters: str = MIXED) -> str:
    return prefix + made_up(name, length, letters)


_ROWS: tuple[tuple[str, str, str], ...] = (
    ("AWS access key", "upload with @@ failed", _with("AK" + "IA", "aws", 16, UPPER)),
    ("AWS session key", "assumed as @@ in eu-west-1", _with("AS" + "IA", "sts", 16, UPPER)),
    ("AWS secret", "aws_secret_access_key = @@", made_up("aws-secret", 40)),
    ("AWS secret beside its id", "AK" + "IA" + made_up("x", 16, UPPER) + ": @@ end", made_up("aws-pair", 40)),
    ("S3 signature", "GET https://b.s3.example/o?X-Amz-Signature=@@&X-Amz-Date=1", made_up("s3", 64, HEX)),
    ("S3 session", "https://b.s3.example/o?X-Amz-Security-Token=@@&a=1", made_up("s3s", 80)),
    ("GCP key", "service account: @@", _pem("")),
    ("RSA key", "found in the log: @@ .", _pem("RSA ")),
    ("OpenSSH key", "@@", _pem("OPENSSH ")),
    ("Google API key", "maps answered 403 for @@", _with("AI" + "za", "google", 35)),
    ("Google token", "oauth @@ expired", _with("ya" + "29.", "oauth", 60)),
    ("Google Chat webhook", "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=@@", made_up("chat", 43)),
    ("Azure account key", "AccountName=logs;AccountKey=@@;EndpointSuffix=x", made_up("azure", 86) + "=="),
    ("Azure SAS", "https://logs.blob.example/c?sv=2026&sp=r&sig=@@&se=1", made_up("sas", 43) + "%3D"),
    ("Azure bus", "Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey=@@", made_up("bus", 43) + "="),
    ("Azure client secret", "app secret @@", made_up("aad", 3) + "8" + "Q~" + made_up("aad2", 34)),
    ("Slack bot token", "posting with @@ failed", _with("xo" + "xb-", "slack", 40)),
    ("Slack user token", "@@", _with("xo" + "xp-", "slack2", 40)),
    ("Slack app token", "@@", _with("xa" + "pp-1-", "slack3", 40)),
    (
        "Slack webhook",
        "POST https://hooks.slack.com/services/@@",
        f"T{made_up('sl', 8, UPPER)}/B{made_up('s', 8)}/xyz1",
    ),
    ("Discord webhook", "https://discord.com/api/webhooks/@@", f"118831749205517364/{made_up('discord', 60)}"),
    (
        "Teams webhook",
        "https://acme.webhook.office.com/webhookb2/@@",
        f"{made_up('teams', 36, HEX)}/IncomingWebhook/a1",
    ),
    ("GitHub token", "clone with @@", _with("gh" + "p_", "github", 36)),
    ("GitHub app token", "clone with @@", _with("gh" + "s_", "github2", 36)),
    ("GitHub fine-grained", "@@", _with("github" + "_pat_", "github3", 60)),
    ("GitLab token", "runner used @@", _with("gl" + "pat-", "gitlab", 20)),
    ("GitLab runner", "runner used @@", _with("gl" + "rt-", "gitlab2", 24)),
    ("Stripe key", "charge by @@ failed", _with("sk" + "_live_", "stripe", 28)),
    ("Stripe restricted", "charge by @@ failed", _with("rk" + "_live_", "stripe2", 28)),
    ("webhook secret", "check with @@", _with("wh" + "sec_", "svix", 32)),
    ("Twilio key", "sms by @@", _with("S" + "K", "twilio", 32, HEX)),
    ("Twilio auth token", "TWILIO_AUTH_TOKEN=@@", made_up("twilio2", 32, HEX)),
    ("SendGrid key", "mail by @@", "SG" + "." + made_up("sg", 22) + "." + made_up("sg2", 43)),
    ("Mailgun key", "mail by @@", _with("ke" + "y-", "mailgun", 32, HEX)),
    ("npm token", "publish //registry.npmjs.example/:_authToken=@@", _with("np" + "m_", "npm", 36)),
    ("PyPI token", "twine -p @@", _with("py" + "pi-AgE", "pypi", 90)),
    ("JWT", "session @@ refused", _jwt("alice")),
    ("bearer JWT", "curl -H 'Authorization: Bearer @@'", _jwt("bob")),
    ("bearer token", "header Authorization: Bearer @@", made_up("bearer", 32)),
    ("basic auth header", "Authorization: Basic @@", _basic("ops", "s3same-Open")),
    ("PagerDuty routing key", '{"routing_key": "@@"}', made_up("pd", 32)),
    ("PagerDuty token", "Authorization: Token token=@@", made_up("pd2", 20)),
    ("Opsgenie key", "Authorization: GenieKey @@", "8b2c9f70-" + made_up("og", 27, HEX)),
    ("Datadog API key", "DD-API-KEY: @@", made_up("dd", 32, HEX)),
    ("Datadog app key", "dd_application_key=@@", made_up("dd2", 40, HEX)),
    ("New Relic key", "ask with @@", _with("NR" + "AK-", "nr", 27, UPPER)),
    ("New Relic licence", "agent with @@", made_up("nrl", 36, HEX) + "NR" + "AL"),
    ("Grafana token", "grafana answered 401 to @@", _with("gl" + "sa_", "grafana", 32) + "_" + made_up("g", 8, HEX)),
    ("Vault token", "vault login @@", _with("hv" + "s.", "vault", 90)),
    ("DigitalOcean token", "@@", _with("do" + "p_v1_", "do", 64, HEX)),
    ("Docker token", "docker login -p @@", _with("dck" + "r_pat_", "docker", 27)),
    ("URL credentials", "https://grafana:@@@metrics.example/d/1", "Tr0ub4dor-3"),
    ("database URL", "cannot reach postgresql://app:@@@db-1:5432/shop", "correct-h0rse"),
    ("amqp URL", "amqps://svc:@@@mq.example/v", "b4ttery.staple"),
    ("ADO connection", "Server=db;User Id=sa;Password=@@;Encrypt=1", "P4ss!word#9"),
    ("env password", "DB_PASSWORD=@@ was printed", "wh1sky-Tango"),
    ("JSON password", '{"user": "root", "password": "@@"}', "fox trot 77"),
    ("secret in prose", "the password: @@ was tried", "hunter2hunter"),
    ("cookie", "Cookie: session=@@; theme=dark", made_up("cookie", 40)),
    ("our own key", "posted with @@", _with("b" + "k_", "ours", 43)),
    (
        "Telegram bot",
        "POST https://api.telegram.org/bot@@/sendMessage",
        "123456789:" + "AA" + made_up("telegram", 33),
    ),
    ("GitLab token after its name", "url_@@ was refused", _with("gl" + "pat-", "gitlab3", 20)),
    ("Twilio key after its name", "user_@@ was refused", _with("S" + "K", "twilio3", 32, HEX)),
    ("AWS access key after its name", "key_@@ was refused", _with("AK" + "IA", "aws3", 16, UPPER)),
    ("API key after its name", "key_@@ was refused", _with("s" + "k-", "api", 40)),
    ("database URL with a slash", "cannot reach postgres://user:@@@db-2/shop", "pa/ss-W0rd"),
    ("Hugging Face token", "model pulled with @@", _with("h" + "f_", "hugging", 34)),
    ("curl", "curl -sS -u admin:@@ https://h.example/x", "hunter4secret"),
    ("option token", "agent --token @@ failed", "abc123def456"),
    ("option API key", "agent --api-key @@ failed", "f0e1d2c3b4a5"),
    ("option secret", "agent --secret '@@' failed", "q9w8e7r6t5y4"),
    ("age key", "decrypt with @@", _with("AGE-SECRET" + "-KEY-1", "age", 58, UPPER)),
)
PLANTED = tuple(Planted(*row) for row in _ROWS)
