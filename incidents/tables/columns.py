"""What the columns of every table are made of: instants, JSON, and ids that grow with a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Column, Dialect, Integer, Text, TypeDecorator
from sqlmodel import Field

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """An aware instant as whole microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """The inverse of `micros`."""
    return EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator[Any]):
    """JSON as text, written and read by orjson."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        return None if value is None else orjson.loads(value)


Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the key is a plain INTEGER."""


def grown_id() -> Any:  # noqa: ANN401  # what Field gives
    return Field(default=None, sa_column=Column(Id, primary_key=True, autoincrement=True))


def instant_column(**options: Any) -> Any:  # noqa: ANN401  # what Field gives
    return Field(sa_column=Column(Instant, **{"nullable": False, **options}))


def json_column(**options: Any) -> Any:  # noqa: ANN401  # what Field gives
    return Field(sa_column=Column(Json, **{"nullable": False, **options}))
