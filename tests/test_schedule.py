"""The scheduler ends with its process: ticks under way end first, and none is cut off with an error."""

from __future__ import annotations

import asyncio
import logging

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from service import schedule


async def test_a_tick_under_way_ends_before_the_process_and_none_begins(caplog: pytest.LogCaptureFixture) -> None:
    began, ended = asyncio.Event(), []
    under_way: set[asyncio.Task[None]] = set()

    async def tick() -> None:
        began.set()
        await asyncio.sleep(0.2)
        ended.append("whole")

    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.add_job(schedule._kept(tick, under_way), "interval", seconds=0.05, max_instances=1)
    scheduler.start()
    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(10):
            await began.wait()
        await schedule._end(scheduler, under_way)
        await asyncio.sleep(0.1)
    assert ended == ["whole"]
    assert caplog.records == []
    assert not under_way
