"""Typed keys of what the application holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiohttp import web

from incidents.config import Config
from incidents.store import Store
from service.access import Access, Identity
from service.hub import Hub
from service.instruments import Instruments
from service.settings import Settings
from service.spool import Spool
from service.standby import Standby
from service.throttle import Rates
from service.tracing import Tracing
from service.worker import Worker
from service.writer import Writer


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
