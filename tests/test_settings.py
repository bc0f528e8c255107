"""Settings: flag, environment, file, default; what is unknown or impossible is an error that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from service import settings
from service.settings import SETTINGS, SettingsError

SECRET = "s" * 32


def test_the_defaults() -> None:
    found = settings.read({}, {})
    assert (found.host, found.port, found.data_dir, found.log_format) == ("127.0.0.1", 8080, Path("var"), "console")
    assert found.database_url == "sqlite:///var/barograph.db"
    assert not found.names_a_database
    assert (found.admin_token, found.secret_key, found.config, found.open_metrics) == (None, None, None, False)
    assert set(found.origins.values()) == {"default"}


def test_flag_before_environment_before_file_before_default(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("9003\n")
    environment = {"BAROGRAPH_PORT": "9002", "BAROGRAPH_PORT_FILE": str(tmp_path / "port")}
    assert settings.read({"port": "9001"}, environment).port == 9001
    assert settings.read({"port": None}, environment).port == 9002
    del environment["BAROGRAPH_PORT"]
    found = settings.read({}, environment)
    assert (found.port, found.origins["PORT"], found.origins["HOST"]) == (9003, "file", "default")


def test_every_setting_can_be_given_by_the_environment_and_by_a_file(tmp_path: Path) -> None:
    given = {
        "DATABASE_URL": "postgresql://u@db/barograph",
        "DATABASE_PASSWORD": "p@/ss",
        "READ_DATABASE_URL": "postgresql://u@standby/barograph",
        "DATA_DIR": "/srv/barograph",
        "SPOOL_MIB": "64",
        "RETENTION": "alert=400, reading=90",
        "HOST": "::1",
        "PORT": "0",
        "CONFIG": "site.toml",
        "PUBLIC_URL": "https://barograph.example/",
        "ADMIN_TOKEN": SECRET,
        "SECRET_KEY": SECRET,
        "ALLOW_PRIVATE_NETWORKS": "10.0.0.0/8, fd00::/8",
        "LOG_FORMAT": "json",
        "OPEN_METRICS": "true",
        "CONTACT": "ops@example.com",
        "OUTBOUND_PROXY": "http://10.0.0.2:3128",
        "POLL_FEEDS": "false",
        "ASKED_DAYS": "90",
        "ASKED_ROWS": "50000",
        "EMBED_ORIGINS": "https://wiki.example",
        "REPORT_DIR": "/srv/reports",
        "POSTMORTEM_TEMPLATES": "/srv/templates",
        "BROWSER": "/usr/bin/chromium",
        "REPORT_EVERY": "quarter",
        "REPORT_FORMATS": "pdf, docx",
        "REPORT_ZONE": "Europe/London",
        "OTLP_ENDPOINT": "http://collector.example:4318",
        "SESSION_HOURS": "12",
        "SESSION_IDLE_HOURS": "2",
        "SECOND_FACTOR_FROM": "responder",
        "REQUESTS_PER_MINUTE": "600",
        "TRUSTED_PROXIES": "10.0.0.0/8",
        "OIDC_ISSUER": "https://id.example/realms/ops",
        "OIDC_CLIENT_ID": "barograph",
        "OIDC_CLIENT_SECRET": "a client's secret",
        "OIDC_SCOPES": "openid groups",
        "OIDC_NAME_CLAIM": "email",
        "OIDC_GROUPS_CLAIM": "realm_access.roles",
        "OIDC_ROLES": "sre=admin, *=viewer",
        "OIDC_NETWORKS": "10.9.0.0/16",
    }
    assert set(given) == {setting.name for setting in SETTINGS}
    by_environment = settings.read({}, {f"BAROGRAPH_{name}": value for name, value in given.items()})
    for name, value in given.items():
        (tmp_path / name).write_text(f"{value}\n")
    by_file = settings.read({}, {f"BAROGRAPH_{name}_FILE": str(tmp_path / name) for name in given})
    for found in (by_environment, by_file):
        assert found.database_url == "postgresql://u:p%40%2Fss@db/barograph"
        assert found.read_database_url == "postgresql://u:p%40%2Fss@standby/barograph"
        assert found.otlp_endpoint == "http://collector.example:4318"
        assert found.names_a_database
        assert found.public_url == "https://barograph.example"
        assert found.allow_private_networks == ("10.0.0.0/8", "fd00::/8")
        assert (found.config, found.port, found.open_metrics) == (Path("site.toml"), 0, True)
        assert (found.spool_mib, found.retention) == (64, {"alert": 400, "reading": 90})
        assert (found.contact, found.poll_feeds) == ("ops@example.com", False)
    assert set(by_file.origins.values()) == {"file"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECOND_FACTOR_FROM", "owner"),
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("SPOOL_MIB", "half"),
        ("SPOOL_MIB", "-1"),
        ("RETENTION", "alert"),
        ("RETENTION", "alert=0"),
        ("RETENTION", "alert=1,alert=2"),
        ("RETENTION", "everything=1"),
        ("LOG_FORMAT", "xml"),
        ("OPEN_METRICS", "perhaps"),
        ("POLL_FEEDS", "perhaps"),
        ("CONTACT", "a\nb"),
        ("OUTBOUND_PROXY", "socks5://10.0.0.2"),
        ("ADMIN_TOKEN", "short"),
        ("SECRET_KEY", "short"),
        ("ALLOW_PRIVATE_NETWORKS", "10.0.0.0/8,everything"),
        ("DATABASE_URL", "mysql://db/barograph"),
        ("READ_DATABASE_URL", "postgresql://standby/barograph"),
        ("OTLP_ENDPOINT", "collector:4318"),
    ],
)
def test_an_impossible_value_is_an_error_that_names_the_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: "):
        settings.read({}, {f"BAROGRAPH_{name}": value})


@pytest.mark.parametrize("name", ["BAROGRAPH_PROT", "BAROGRAPH_PROT_FILE", "BAROGRAPH_"])
def test_an_unknown_setting_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not a setting"):
        settings.read({}, {name: "x"})


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"^BAROGRAPH_ADMIN_TOKEN_FILE: {tmp_path}/none: "):
        settings.read({}, {"BAROGRAPH_ADMIN_TOKEN_FILE": f"{tmp_path}/none"})


def test_other_variables_are_left_alone() -> None:
    assert settings.read({}, {"PORT": "x", "barograph_port": "x", "PATH": "/bin"}).port == 8080


def test_what_is_shown_hides_every_secret() -> None:
    found = settings.read(
        {"port": "9001"},
        {
            "BAROGRAPH_DATABASE_URL": "postgresql://u:hidden-1@db/barograph",
            "BAROGRAPH_ADMIN_TOKEN": f"hidden-2{SECRET}",
            "BAROGRAPH_SECRET_KEY": f"hidden-3{SECRET}",
        },
    )
    rows = {name: (value, origin) for name, value, origin in settings.shown(found)}
    assert set(rows) == {setting.name for setting in SETTINGS}
    assert "hidden" not in repr(rows)
    assert rows["DATABASE_URL"] == ("postgresql://u:…@db/barograph", "environment")
    assert rows["ADMIN_TOKEN"] == ("set", "environment")
    assert rows["PORT"] == ("9001", "flag")
    assert rows["OPEN_METRICS"] == ("false", "default")


@pytest.mark.parametrize("url", ["", "sqlite:///x.db", "postgresql://db/barograph", "postgresql://u:p@db/barograph"])
def test_a_password_needs_a_url_that_it_fits_into(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_PASSWORD"):
        settings.read({}, {"BAROGRAPH_DATABASE_URL": url, "BAROGRAPH_DATABASE_PASSWORD": "p"})
