"""The reference pages against what they describe: tables, endpoints, error codes, messages and metrics.

Links, commands and settings of all pages are checked in `test_docs.py`.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from unde_catalog.backends import Backends
from unde_catalog.services.search.app import build_app
from unde_catalog.services.search.middleware.metrics import SearchMetrics
from unde_catalog.services.user_media.fetch_result import ErrorCode
from unde_catalog.services.user_media.messages import BatchResult, FailedUpload, InferenceResult, Upload, UploadError
from unde_catalog.services.user_media.metrics import UserMediaMetrics
from unde_catalog.services.user_media.subjects import BATCH_RESULT, DEAD, ERROR, INFERENCE_RESULT, QUEUES, STREAMS
from unde_catalog.settings.environment import load_settings
from unde_catalog.settings.photos import PhotoFields
from unde_catalog.settings.publishing import PublishFields
from unde_catalog.stage_specs import STAGES
from unde_catalog.stages.adoption.stage import AdoptionStage
from unde_catalog.stages.availability.availability import AvailabilityStage
from unde_catalog.stages.photos.collages import CollagesStage
from unde_catalog.stages.production_catalog import publish
from unde_catalog.stages.production_catalog.brand_rules import RULES
from unde_catalog.stages.production_catalog.product_rules import Reason
from unde_catalog.stages.raw_products import collect_run
from unde_catalog.stages.visual_index.stage import VisualIndexStage
from unde_catalog.stages.ximilar_index.stage import XimilarStage
from unde_catalog.stores.objects.objects import PUT_SECONDS
from unde_catalog_tests.support.doc_pages import anchors, inline_code
from unde_catalog_tests.support.reference_pages import PROJECT

_REFERENCE = PROJECT / "docs/reference"
_MIGRATIONS = PROJECT / "unde_catalog/stores"


def named_on(page: str) -> set[str]:
    """Every word in backticks on a reference page."""
    return {word for text in inline_code(_REFERENCE / page) for word in (text, *re.findall(r"[\w./{}-]+", text))}


def test_the_schema_page_names_every_table() -> None:
    sql = "\n".join(file.read_text() for file in _MIGRATIONS.rglob("migrations/versions/*.py"))
    tables = set(re.findall(r"CREATE (?:UNLOGGED )?TABLE IF NOT EXISTS (\w+)", sql))
    assert tables and not tables - named_on("schema.md") - anchors(_REFERENCE / "schema.md")


def test_the_schema_page_names_every_column_of_products() -> None:
    sql = "\n".join(file.read_text() for file in (_MIGRATIONS / "staging").rglob("versions/*.py"))
    table = re.search(r"CREATE TABLE IF NOT EXISTS raw_products \(\n(.*?)\n\);", sql, re.DOTALL)
    assert table is not None
    columns = set(re.findall(r"^    ([a-z]\w+) ", table[1], re.MULTILINE))
    columns |= set(re.findall(r"ALTER TABLE raw_products ADD COLUMN IF NOT EXISTS (\w+)", sql))
    assert len(columns) > 30 and not columns - named_on("schema.md")


def test_the_api_page_names_every_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = build_app(Backends(load_settings())).openapi()["paths"]
    endpoints = {f"{method.upper()} {path.replace(':path', '')}" for path in paths for method in paths[path]}
    endpoints = {re.sub(r"/images/.*", "/images/<product id>/image_<n>.jpg", one) for one in endpoints}
    assert len(endpoints) > 10 and not endpoints - set(inline_code(_REFERENCE / "api.md"))


def test_the_api_page_names_every_error_code() -> None:
    source = "\n".join(file.read_text() for file in (PROJECT / "unde_catalog/services/search").rglob("*.py"))
    codes = set(re.findall(r"Problem\(\s*\d{3},\s*\"(\w+)\"", source))
    assert len(codes) > 10 and not codes - named_on("api.md")


def test_the_message_page_names_every_field_and_code() -> None:
    models = (BatchResult, InferenceResult, UploadError, Upload, FailedUpload)
    names = {field for model in models for field in model.model_fields} | set(get_args(ErrorCode))
    names |= {
        BATCH_RESULT,
        INFERENCE_RESULT,
        ERROR,
        DEAD,
        *(one.subject for one in QUEUES),
        *(one.name for one in STREAMS),
    }
    assert not names - named_on("messages.md")


def test_the_pages_name_every_metric() -> None:
    for page, metrics in (("api.md", SearchMetrics()), ("messages.md", UserMediaMetrics())):
        assert not {one.name for one in metrics.registry.collect()} - named_on(page)


def test_the_rules_page_names_every_rule_of_publishing() -> None:
    names = {*get_args(Reason), *RULES, *(name.upper() for name in PublishFields.model_fields)}
    assert not names - named_on("rules.md")


def test_the_rules_page_has_the_lease_of_every_stage() -> None:
    page = (_REFERENCE / "rules.md").read_text()
    table = re.findall(r"^\| `(\w+)` \| (.+) \|$", page.partition("## Leases")[2].partition("##")[0], re.MULTILINE)
    found = {stage: int(["0", *re.findall(r"(\d+) minutes", text)][-1]) for stage, text in table}
    handlers = (CollagesStage, XimilarStage, VisualIndexStage, AvailabilityStage, AdoptionStage)
    leases = {handler.stage: handler.lease for handler in handlers}
    default = timedelta(seconds=PhotoFields.model_fields["product_timeout"].default)
    leases |= {
        "raw_products": collect_run.LEASE, "raw_stores": timedelta(), "production_catalog": publish._CLAIM,
        "originals": default + timedelta(seconds=5 * PUT_SECONDS + 60),
    }  # fmt: skip
    assert found == {stage: lease / timedelta(minutes=1) for stage, lease in leases.items()}
    assert set(found) == {*STAGES, "adoption"}
