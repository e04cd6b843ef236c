"""Settings of a bucket in an S3-compatible store. Only `environment.py` reads them from the environment."""

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

S3Addressing = Literal["auto", "virtual", "path"]
BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)*-?[0-9]+")  # hel1, eu-central-1


def _plain_and_safe(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password or url.query or url.fragment or (url.path or "/") != "/":
        raise ValueError("has more than a scheme, a host and a port")
    if url.scheme == "http" and not is_private(url.host or ""):
        raise ValueError(
            "http is allowed for private addresses only, since photos and signatures would be sent unencrypted"
        )
    return url


S3Endpoint = Annotated[AnyHttpUrl, AfterValidator(_plain_and_safe)]


class S3Fields(BaseModel):
    """The fields; a field's name in capitals is its environment variable."""

    s3_endpoint: S3Endpoint | None = Field(
        None,
        description="https://host of the object store, without the bucket (http in a private network)",
    )
    s3_access_key: SecretStr | None = Field(None, description="the object store's access key")
    s3_secret_key: SecretStr | None = Field(None, description="the object store's secret key")
    s3_bucket: BucketName = Field("unde-images", description="the name of a bucket")
    s3_region: str | None = Field(None, description="the store's region, if the endpoint does not name it")
    s3_addressing: S3Addressing = Field("auto", description="auto, virtual (https://bucket.host) or path")

    def bucket(self, prefix: str = "") -> "S3Settings | None":
        """The bucket, None if no store is set; ValueError names missing variables, with `prefix` before their names."""
        needed = {"S3_ENDPOINT": self.s3_endpoint, "S3_ACCESS_KEY": self.s3_access_key}
        needed["S3_SECRET_KEY"] = self.s3_secret_key
        missing = [prefix + name for name, value in needed.items() if value is None]
        if self.s3_endpoint is None or self.s3_access_key is None or self.s3_secret_key is None:
            if len(missing) == len(needed):
                return None
            there = " and ".join(prefix + name for name, value in needed.items() if value is not None)
            raise ValueError(f"{', '.join(missing)}: required with {there} (set all, or none to use a folder)")
        host = self.s3_endpoint.host or ""
        if host.startswith(f"{self.s3_bucket}."):
            raise ValueError(f"{prefix}S3_ENDPOINT: expected the host without the bucket, {host.partition('.')[2]}")
        auto = not is_private(host) and "." not in self.s3_bucket  # no wildcard certificate covers a.b.host
        return S3Settings(
            endpoint=str(self.s3_endpoint).rstrip("/"),
            access_key=self.s3_access_key,
            secret_key=self.s3_secret_key,
            bucket=self.s3_bucket,
            region=self.s3_region or _region(host),
            virtual_host=auto if self.s3_addressing == "auto" else self.s3_addressing == "virtual",
        )


class S3Settings(BaseModel):
    """A bucket with everything needed to use it. `endpoint` has no slash at its end."""

    model_config = ConfigDict(frozen=True)

    endpoint: str
    access_key: SecretStr
    secret_key: SecretStr
    bucket: str
    region: str
    virtual_host: bool

    @property
    def base_url(self) -> str:
        """The bucket's URL: `https://bucket.host`, or `https://host/bucket` for path addressing."""
        if not self.virtual_host:
            return f"{self.endpoint}/{self.bucket}"
        scheme, _, host = self.endpoint.partition("://")
        return f"{scheme}://{self.bucket}.{host}"


def is_private(host: str) -> bool:
    """Whether a host is this machine or in a private network, by its address or by a name that is never public."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def _region(host: str) -> str:
    """The region in a host's name, such as hel1 of hel1.your-objectstorage.com; else us-east-1."""
    labels = [] if is_private(host) else host.split(".")[:-2]
    return next((label for label in labels if _REGION.fullmatch(label)), "us-east-1")
