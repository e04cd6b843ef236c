import pytest

from unde_catalog.stage_specs import DUE_STAGES, QUEUES, STAGE_SPECS, STAGES, STAGES_BY_ROLE, StageSpec, lateness_of

each_spec = pytest.mark.parametrize("spec", STAGE_SPECS.values(), ids=STAGES)


@each_spec
def test_a_stage_comes_after_those_it_reads_from(spec: StageSpec) -> None:
    assert set(spec.upstream) <= set(STAGES[: STAGES.index(spec.name)])


@each_spec
def test_a_stage_is_late_only_after_its_interval(spec: StageSpec) -> None:
    assert spec.interval < spec.lateness.warn < (spec.lateness.alert or 2 * spec.lateness.warn)


@each_spec
def test_only_stages_that_lease_products_have_a_batch_size(spec: StageSpec) -> None:
    assert spec.batch_size is None or spec.due_work


def test_names_labels_jobs_and_roles_are_unique() -> None:
    for facts in zip(*((spec.name, spec.label, spec.job) for spec in STAGE_SPECS.values()), strict=True):
        assert len(set(facts)) == len(STAGES)
    assert len(STAGES_BY_ROLE) == len([spec for spec in STAGE_SPECS.values() if spec.role])


def test_due_work_follows_the_collection_of_products_and_stores() -> None:
    assert ("raw_products", "raw_stores", *DUE_STAGES) == STAGES


def test_a_brand_that_is_collected_daily_is_late_sooner() -> None:
    assert lateness_of("raw_products", "bakai").warn < lateness_of("raw_products", "zara").warn
    assert lateness_of("originals", "bakai") == lateness_of("originals", "zara")


def test_every_queue_has_a_stage_or_is_the_default() -> None:
    assert QUEUES == ("collect", "stock", "photos", "collage", "ximilar", "embeddings", "publish", "default")
