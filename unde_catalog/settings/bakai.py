"""Settings of BakaiMarket's API and bucket. Only `environment.py` reads them from the environment.

What its responses mean is in `stages/raw_products/bakai_api.py`, `bakai_bucket.py` and
`stages/raw_products/bakai_item.py`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, Field, SecretStr

from unde_catalog.settings.s3 import BucketName, S3Addressing, S3Fields, S3Settings, is_private

BakaiList = Literal["api", "bucket"]
_PREFIX = "BAKAI_"


def _safe(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("has more than a scheme, a host, a port and a path")
    if url.scheme == "http" and not is_private(url.host or ""):
        raise ValueError("http is allowed for private addresses only, since keys would be sent unencrypted")
    return url


Address = Annotated[AnyHttpUrl, AfterValidator(_safe)]


class BakaiFields(BaseModel):
    """The lists of BakaiMarket's products, and their keys."""

    bakai_source: BakaiList = Field("api", description="api or bucket: where BakaiMarket's products are listed")
    bakai_cdn_api_url: Address = Field(
        AnyHttpUrl("https://api-cdn.bakai.store"), description="the URL of BakaiMarket's API"
    )
    bakai_cdn_access_key: SecretStr | None = Field(None, description="the access key of BakaiMarket's API")
    bakai_cdn_secret_key: SecretStr | None = Field(None, description="the secret key of BakaiMarket's API")
    bakai_s3_endpoint: Address | None = Field(
        None,
        description="https://host of the store of BakaiMarket's bucket, without the bucket (http in a private network)",
    )
    bakai_s3_bucket: BucketName | None = Field(None, description="the name of BakaiMarket's bucket")
    bakai_s3_access_key: SecretStr | None = Field(
        None, description="an access key that may list and read BakaiMarket's bucket"
    )
    bakai_s3_secret_key: SecretStr | None = Field(None, description="the secret key of that access key")
    bakai_s3_region: str | None = Field(None, description="the store's region, if the endpoint does not name it")
    bakai_s3_addressing: S3Addressing = Field("auto", description="auto, virtual (https://bucket.host) or path")
    bakai_image_base_url: AnyHttpUrl | None = Field(
        None, description="the base URL of the bucket's photos, if it is not the bucket's own"
    )

    def missing_for_bakai(self, which: BakaiList) -> list[str]:
        """The variables that must be set before that list can be read; empty if all are set."""
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
        """The bucket; ValueError names variables that are missing or wrong."""
        if missing := self.missing_for_bakai("bucket"):
            raise ValueError(f"not configured: set {', '.join(missing)}")
        # Unlike the catalogue's endpoint this one may have a path, for example of a gateway. It is validated above.
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
