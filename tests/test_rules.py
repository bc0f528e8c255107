"""Rules as timelines: what opens an incident, what joins it, when it grows quiet, and what a person's word does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from incidents import rules
from incidents.fold import members, occurrence
from incidents.model import Event, Match, Occurrence, Rule, Said, Severity
from incidents.store import Store
from tests.world import DAY, World, config, firing, instant, resolved


def test_a_critical_alert_opens_an_incident_and_its_quiet_closes_it(store: Store) -> None:
    world = World(store)
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:12").alertmanager(firing("web-1", "warning"))
    world.at("10:20").alertmanager(resolved("db-1"), resolved("web-1", "warning"))
    world.at("18:00")
    assert (
        world.timeline()
        == """
10:00 Incident opened by rule rule:critical-alert@1, critical: Sacramento: db-1 is down [rule:critical-alert@1]
10:00 1 alert joined: Down [rule:span@1]
10:00 db-1 is down
10:12 1 alert joined: Down [rule:span@1]
10:12 web-1 is down
10:20 db-1 is down: ended
10:20 web-1 is down: ended
10:50 Mitigated: all alerts have ended for 30 min [rule:quiet@1]
16:50 Resolved: quiet for 6 h since it was mitigated [rule:quiet@1]
"""
    )
