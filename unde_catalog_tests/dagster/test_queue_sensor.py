import dagster as dg

from unde_catalog.defs.automation.queue_sensor import CHECK, runs_for
from unde_catalog.operations.quality.queues import queues_served
from unde_catalog.stores.queues import QueueState

SERVED = [QueueState("photos", 1, 0, None), QueueState("default", 2, 4, 20)]
WITHOUT = [QueueState("photos", 0, 2, 20), QueueState("default", 2, 4, 20)]


def test_a_queue_that_loses_its_last_worker_is_checked_once() -> None:
    assert isinstance(runs_for(queues_served(SERVED), None), dg.SkipReason)
    lost = runs_for(queues_served(WITHOUT), None)
    assert isinstance(lost, dg.SensorResult) and lost.run_requests is not None
    assert [one.asset_check_keys for one in lost.run_requests] == [[CHECK]]
    assert isinstance(runs_for(queues_served(WITHOUT), lost.cursor), dg.SkipReason)


def test_a_queue_that_has_a_worker_again_is_checked_too() -> None:
    found = runs_for(queues_served(SERVED), "photos")
    assert isinstance(found, dg.SensorResult) and found.cursor == "" and len(found.run_requests or ()) == 1
