"""What can be set for BakaiMarket: its CDN's API and its bucket. Read from the environment by `environment.py` alone.

What its answers mean is in `stages/raw_products/bakai_api.py`, `bakai_bucket.py` and
`stages/raw_products/bakai_item.py`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, Field, SecretStr

from unde_catalog.settings.s3 import BucketName, S3Addressing, S3Fields, S3Settings, is_private

BakaiList = Literal["api", "bucket"]
_PREFIX = "BAKAI_"


def _safe(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("more than a scheme, a host, a port and a path")
    if url.scheme == "http" and not is_private(url.host or ""):
        raise ValueError("http is for private addresses: keys would travel in the open")
    return url


Address = Annotated[AnyHttpUrl, AfterValidator(_safe)]


class BakaiFields(BaseModel):
    """Where BakaiMarket's products are listed, and the keys for it."""

    bakai_source: BakaiList = Field("api", description="api or bucket: where its products are listed")
    bakai_cdn_api_url: Address = Field(
        AnyHttpUrl("https://api-cdn.bakai.store"), description="the address of its CDN's API"
    )
    bakai_cdn_access_key: SecretStr | None = Field(None, description="the access key of its CDN's API")
    bakai_cdn_secret_key: SecretStr | None = Field(None, description="the secret key of its CDN's API")
    bakai_s3_endpoint: Address | None = Field(
        None, description="https://host of its bucket's store, without the bucket (http in a private network)"
    )
    bakai_s3_bucket: BucketName | None = Field(None, description="the name of its bucket")
    bakai_s3_access_key: SecretStr | None = Field(None, description="an access key that may list and read its bucket")
    bakai_s3_secret_key: SecretStr | None = Field(None, description="the secret key of that access key")
    bakai_s3_region: str | None = Field(None, description="its store's region, where the endpoint doesn't name it")
    bakai_s3_addressing: S3Addressing = Field("auto", description="auto, virtual (https://bucket.host) or path")
    bakai_image_base_url: AnyHttpUrl | None = Field(
        None, description="where photos of the bucket are downloaded from, if not from the bucket's own address"
    )

    def missing_for_bakai(self, which: BakaiList) -> list[str]:
        """The variables that have to be set before that list can be read; empty where all are."""
        wanted = {
            "api": {"CDN_ACCESS_KEY": self.bakai_cdn_access_key, "CDN_SECRET_KEY": self.bakai_cdn_secret_key},
            "bucket": {
                "S3_ENDPOINT": self.bakai_s3_endpoint,
                "S3_BUCKET": self.bakai_s3_bucket,
                "S3_ACCESS_KEY": self.bakai_s3_access_key,
                "S3_SECRET_KEY": self.bakai_s3_secret_key,
            },
        }[which]
        return [_PREFIX + name for name, value in wanted.items() if not value]

    def bakai_bucket(self) -> S3Settings:
        """Its bucket; ValueError names the variables that are missing or wrong."""
        if missing := self.missing_for_bakai("bucket"):
            raise ValueError(f"not configured: set {', '.join(missing)}")
        # Unlike our own endpoint this one may have a path, as of a gateway; all of it was looked at above.
        bucket = S3Fields.model_construct(
            s3_endpoint=self.bakai_s3_endpoint,
            s3_bucket=self.bakai_s3_bucket,
            s3_access_key=self.bakai_s3_access_key,
            s3_secret_key=self.bakai_s3_secret_key,
            s3_region=self.bakai_s3_region,
            s3_addressing=self.bakai_s3_addressing,
        ).bucket(_PREFIX)
        assert bucket is not None  # nothing is missing
        return bucket
