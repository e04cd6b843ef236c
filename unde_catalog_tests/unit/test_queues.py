from pathlib import Path

import pytest

from unde_catalog.defs.queues.executor import celery_configuration, step_minutes, visibility_timeout
from unde_catalog.operations.quality.queues import queues_served
from unde_catalog.settings.environment import Settings, SettingsError, load_settings
from unde_catalog.stores.queues import QueueState, broker_url


@pytest.fixture
def celery(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXECUTOR", "celery")
    monkeypatch.setenv("REDIS_URL", "rediss://:planted@host:6379/0")
    return load_settings()


@pytest.mark.parametrize(
    ("state", "passed", "urgency", "message"),
    [
        (QueueState("photos", 1, 3, 60), True, "warn", "All 1 queues have workers."),
        (QueueState("photos", 0, 0, None), False, "alert", "The queue photos has no worker: start unde-catalog worker"),
        (
            QueueState("photos", 0, 2, 120),
            False,
            "alert",
            "The queue photos has no worker (2 waiting, the oldest for 2",
        ),
        (QueueState("photos", 2, 5, 4000), False, "warn", "Work in the queue photos is late (5 waiting"),
    ],
)
def test_a_queue_needs_a_worker_and_must_not_wait(state: QueueState, passed: bool, urgency: str, message: str) -> None:
    result = queues_served([state])
    assert (result.passed, result.urgency) == (passed, urgency)
    assert result.message.startswith(message)


def test_steps_on_workers_end_before_redis_delivers_them_again(celery: Settings) -> None:
    assert step_minutes(celery, None) == 120
    assert step_minutes(celery, 15) == 15
    assert visibility_timeout(celery) > max(120 * 60, celery.apify_run_timeout)
    transport = celery_configuration(celery)["broker_transport_options"]
    assert transport["visibility_timeout"] == visibility_timeout(celery)


def test_steps_of_runs_without_celery_have_no_limit_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXECUTOR", raising=False)
    assert step_minutes(load_settings(), None) is None


def test_celery_verifies_the_certificate_of_its_broker(celery: Settings) -> None:
    assert broker_url(celery).endswith("/0?ssl_cert_reqs=required")


def test_celery_without_a_broker_is_reported_without_a_password(celery: Settings) -> None:
    with pytest.raises(SettingsError, match="^REDIS_URL: required with EXECUTOR=celery$"):
        broker_url(celery.model_copy(update={"redis_url": None}))
