"""Refuses a run whose configuration names products that do not exist, before it begins.

Dagster itself checks a configuration against its schema when a run is launched. Values that only the database knows are
checked here, when the run is queued.
"""

from typing import Any

import dagster as dg

from unde_catalog.backends import Backends
from unde_catalog.defs.automation.in_flight import brand_of
from unde_catalog.settings.environment import Settings
from unde_catalog.stage_specs import DUE_STAGES
from unde_catalog.stores.db.database import DatabaseUnavailable
from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.worker.loop import UnknownProducts, known_products


def why_refused(run: dg.DagsterRun, settings: Settings) -> str | None:
    """One sentence that names the unknown products, None where the run may begin.

    The database is opened only for a run that names products. Where that fails, the run begins, and says so itself.
    """
    named = _named_products(run)
    brand = brand_of(run)
    if not named or brand is None:
        return None
    try:
        with Backends(settings) as backends:
            known_products(backends.db, brand, named)
    except UnknownProducts as unknown:
        return str(unknown)
    except (DatabaseUnavailable, EmbeddedPostgresError):
        return None
    return None


def _named_products(run: dg.DagsterRun) -> list[str]:
    """The external ids in the configuration of all its stages."""
    ops: Any = run.run_config.get("ops") or {}
    configs = [op.get("config") or {} for stage, op in ops.items() if stage in DUE_STAGES]
    return [one for config in configs for one in config.get("product_ids") or () if isinstance(one, str)]
