"""Typed keys of what the application holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiohttp import web

from incidents.config import Config
from incidents.store import Store
from service.hub import Hub
from service.identity.access import Access, Identity
from service.identity.throttle import Rates
from service.instruments import Instruments
from service.intake.spool import Spool
from service.intake.worker import Worker
from service.intake.writer import Writer
from service.settings import Settings
from service.standby import Standby
from service.tracing import Tracing


@dataclass(slots=True)
class Configured:
    """The configuration in force; replaced as a whole when it was applied anew."""

    now: Config


SETTINGS = web.AppKey("settings", Settings)
STORE = web.AppKey("store", Store)
CONFIG = web.AppKey("config", Configured)
ACCESS = web.AppKey("access", Access)
WRITER = web.AppKey("writer", Writer)
STANDBY: web.AppKey[Standby | None] = web.AppKey("standby")
SPOOL: web.AppKey[Spool | None] = web.AppKey("spool")
WORKER = web.AppKey("worker", Worker)
READERS = web.AppKey("readers", ThreadPoolExecutor)
KEY_CHECKS = web.AppKey("key_checks", ThreadPoolExecutor)
INSTRUMENTS = web.AppKey("instruments", Instruments)
HUB = web.AppKey("hub", Hub)
TRACING: web.AppKey[Tracing] = web.AppKey("tracing")
DEMO = web.AppKey("demo", bool)
RATES = web.AppKey("rates", Rates)
IDENTITY = web.RequestKey("identity", Identity)
PROVED = web.RequestKey("proved", str)
"""The incident of a shared link whose proof holds: who has shown it sees that one, whoever it is private to."""
