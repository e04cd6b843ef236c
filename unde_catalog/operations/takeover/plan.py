"""What adopting a deployed database would do, what it would cost, and what speaks against it. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from unde_catalog.backends import Backends
from unde_catalog.brands import BRANDS
from unde_catalog.operations.takeover import bucket_check
from unde_catalog.operations.upkeep.backup_folder import newest_backup
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.admin import takeover
from unde_catalog.stores.staging.admin.takeover import DeployedBrand, ServerFacts
from unde_catalog.stores.staging.migrate import STAGING
from unde_catalog.stores.staging.photos.originals import PHOTOS_A_PRODUCT
from unde_catalog.text import duration, quantity

OLDEST_VERSION = 120_000
BACKUP_AGE = timedelta(hours=24)  # a backup that is older does not count as one made for the adoption
# Averages of the catalogue in bytes, for estimates.
_PHOTO_BYTES, _COLLAGE_BYTES = 300_000, 700_000
# Bytes that a product takes in the new tables and indexes: due rows, photo rows, prices.
_ROW_BYTES = 6_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of an adoption.

    `obstacles`: what prevents it, each a sentence with advice. `decisions`: what an operator has to know or decide.
    `migrations`: revisions that would run. `backup_at`: when the newest backup in BACKUP_FOLDER was made.
    `left`: what is left to adopt; before the migrations, all of `brands`.
    """

    server: ServerFacts
    brands: Sequence[DeployedBrand]
    migrations: Sequence[str]
    backup_at: datetime | None
    requests_per_second: float
    left: Sequence[DeployedBrand] = ()
    obstacles: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """Requests to the bucket: a listing a product, a read an object."""
        return sum(one.products + one.photos + one.collages for one in self.left)

    @property
    def bytes(self) -> int:
        """Estimated bytes that are read from the bucket."""
        return sum(one.photos * _PHOTO_BYTES + one.collages * _COLLAGE_BYTES for one in self.left)

    @property
    def download_bytes(self) -> int:
        """Estimated bytes of photos that are fetched from the brands afterwards, as their products are not stored."""
        return sum(one.sources * _PHOTO_BYTES for one in self.brands)

    @property
    def seconds(self) -> float:
        """The shortest duration, by the limit on requests."""
        return self.requests / self.requests_per_second

    @property
    def database_bytes(self) -> int:
        """Estimated growth of the database."""
        return sum(one.products for one in self.left) * _ROW_BYTES


def make_plan(backends: Backends, *, lost_objects: bool = False) -> Plan:
    """Look at the staging database, the bucket, the backups and the settings.

    `lost_objects`: it is known that most objects are lost. `DatabaseUnavailable` if the database can't be asked.
    """
    settings = backends.settings
    with Database(backends.staging_url(), label="staging") as db:
        revision = STAGING.revision(db)
        server = db.read(takeover.server_facts)
        has_products = "raw_products" in server.tables
        brands = db.read(takeover.brand_figures, PHOTOS_A_PRODUCT) if has_products else []
        is_newest = revision == STAGING.newest_revision()
        left = db.read(takeover.brand_figures, PHOTOS_A_PRODUCT, unadopted=True) if is_newest else brands
        left = [one for one in left if one.brand in BRANDS]
        sample = db.read(takeover.sample_of_photos, [one.brand for one in left]) if has_products else []
    folder = settings.backup_folder
    plan = Plan(
        server=server,
        brands=brands,
        migrations=[one for one in STAGING.revisions() if one > (revision or "")],
        backup_at=newest_backup(folder) if folder else None,
        requests_per_second=settings.adoption_requests_per_second,
        left=left,
    )
    plan.obstacles.extend(_obstacles(plan, has_products))
    wrong_bucket = None if lost_objects else bucket_check.obstacle(backends, sample)
    if wrong_bucket:
        plan.obstacles.append(wrong_bucket)
    plan.decisions.extend(_decisions(plan, backends))
    return plan


def backup_is_recent(plan: Plan) -> bool:
    """Whether the newest backup in BACKUP_FOLDER counts as one made for the adoption."""
    return plan.backup_at is not None and datetime.now(UTC) - plan.backup_at < BACKUP_AGE


def _obstacles(plan: Plan, has_products: bool) -> list[str]:
    server, found = plan.server, []
    if server.version < OLDEST_VERSION:
        found.append(f"PostgreSQL {server.version_name} is too old: upgrade the server to 12 or newer")
    if not has_products:
        found.append("there is no table raw_products to adopt: an empty database needs unde-catalog migrate alone")
    if not server.owns_tables:
        found.append(f"the role {server.role} does not own the tables: set STAGING_DB_URL to connect as their owner")
    if not server.creates_in_schema:
        found.append(f"the role {server.role} may not create tables: GRANT CREATE ON SCHEMA public TO {server.role}")
    if server.missing_roles and not server.creates_roles:
        roles = ", ".join(server.missing_roles)
        found.append(f"the roles {roles} are missing and {server.role} may not create roles: create them WITH LOGIN")
    return found


def _decisions(plan: Plan, backends: Backends) -> list[str]:
    settings, found = backends.settings, []
    unknown = [f"{one.brand} ({quantity(one.products, 'product')})" for one in plan.brands if one.brand not in BRANDS]
    if unknown:
        found.append(
            f"not a brand of this project: {', '.join(unknown)}. The rows stay and no stage works on them; "
            "CONTRIBUTING.md says how to add a brand"
        )
    if settings.s3 is None:
        found.append(
            "S3_ENDPOINT is not set, so objects are looked for in a folder: set the S3 settings of the deployed bucket"
        )
    indexed = sum(one.indexed for one in plan.brands)
    if indexed and (settings.ximilar_api_token is None or settings.ximilar_collection_id is None):
        found.append(
            f"{quantity(indexed, 'photo')} are in Ximilar, and XIMILAR_API_TOKEN or XIMILAR_COLLECTION_ID is not set: "
            "their records are adopted by the first run of ximilar_index after they are"
        )
    if not plan.migrations:
        return found  # a backup is made for them
    if plan.backup_at is None:
        found.append("no backup is known: --backup FOLDER makes one first; --no-backup goes on without")
    elif not backup_is_recent(plan):
        age = duration(datetime.now(UTC) - plan.backup_at)
        found.append(f"the newest backup is {age} old: --backup FOLDER makes one first; --no-backup goes on without")
    return found
