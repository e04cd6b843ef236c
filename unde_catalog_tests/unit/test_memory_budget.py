import asyncio

from unde_catalog.stages.photos.memory import MemoryBudget


def test_no_more_bytes_are_held_than_the_budget() -> None:
    async def reserve_all() -> list[int]:
        budget, held, totals = MemoryBudget(100), 0, []

        async def one(size: int) -> None:
            nonlocal held
            async with budget.reserve(size):
                held += size
                totals.append(held)
                await asyncio.sleep(0)
                held -= size

        await asyncio.gather(*(one(size) for size in (60, 60, 40, 100, 1, 30, 30, 30) * 5))
        return totals

    totals = asyncio.run(reserve_all())
    assert len(totals) == 40 and max(totals) == 100


def test_a_request_beyond_the_budget_runs_alone() -> None:
    async def oversized() -> bool:
        budget = MemoryBudget(100)
        async with budget.reserve(500):
            small = asyncio.create_task(budget.reserve(1).__aenter__())
            for _ in range(5):
                await asyncio.sleep(0)
            alone = not small.done()
        await asyncio.wait_for(small, 1)
        return alone

    assert asyncio.run(oversized())


def test_a_cancelled_or_failed_holder_releases_its_bytes() -> None:
    async def cancelled() -> None:
        budget = MemoryBudget(100)

        async def hold(error: Exception | None) -> None:
            async with budget.reserve(100):
                if error:
                    raise error
                await asyncio.sleep(3600)

        await asyncio.gather(hold(ValueError()), return_exceptions=True)
        holders = [asyncio.create_task(hold(None)) for _ in range(3)]
        await asyncio.sleep(0)
        for one in holders:
            one.cancel()
        await asyncio.gather(*holders, return_exceptions=True)
        async with asyncio.timeout(1), budget.reserve(100):
            pass

    asyncio.run(cancelled())
