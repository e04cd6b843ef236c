"""What the errors of an S3-compatible store mean, and which setting solves them.

The messages name `S3_...` settings; users of other buckets replace the prefix.
"""

import re
from datetime import timedelta

from unde_catalog.settings.s3 import S3Settings
from unde_catalog.text import first_line

TRY = timedelta(seconds=18)  # of one request
NO_STORE = "the server there is no S3 store: set S3_ENDPOINT to the store's own address"
_ELSEWHERE = "the bucket is elsewhere: set S3_ENDPOINT and S3_REGION to its own (the store responded with a redirect)"


def explain_dump(dump: str, s3: S3Settings) -> str:
    """The meaning of an error as obstore writes it, and the `S3_...` setting that solves it.

    Of the server's response only the code is shown: the rest may contain a key.
    """
    if found := re.search(r"non-2xx status code: (\d{3})", dump):
        status = int(found[1])
        code = re.search(r"<Code>(\w{1,60})</Code>", dump)
        return explain_response(status, code[1] if code else "", s3)
    if "redirect without LOCATION" in dump:
        return _ELSEWHERE
    return explain_connection(dump)


def explain_response(status: int, code: str, s3: S3Settings) -> str:
    """The meaning of a response's status and S3 error code ("" for none), and the setting that solves it."""
    if 300 <= status < 400:
        return _ELSEWHERE
    shown = f"{status} {code}" if code else str(status)
    return f"{_meaning(status, code, s3)} (the store responded {shown})"


def explain_connection(dump: str) -> str:
    """The meaning of an error below HTTP."""
    if re.search(r"dns error|NameResolutionError|Name or service not known|name resolution", dump):
        return "no such host: set S3_ENDPOINT, or S3_ADDRESSING=path if the host name does not contain the bucket"
    if re.search(r"certificate|InvalidContentType|HandshakeFailure|SSLError", dump):
        return "TLS failed: check S3_ENDPOINT (http or https, the port) and the store's certificate"
    if re.search(r"kind: Timeout|TimedOut|TimeoutError", dump):
        return f"no response within {TRY.total_seconds():g} s: check the store and the network, or set S3_ENDPOINT"
    if re.search(r"kind: Connect|EndpointConnectionError|ProxyConnectionError", dump):
        return "nothing accepts connections there: start the store, or set S3_ENDPOINT"
    return f"the connection broke repeatedly ({first_line(dump).rpartition(' - ')[2][:200]})"


def _meaning(status: int, code: str, s3: S3Settings) -> str:
    match code:
        case "NoSuchBucket":
            return f"there is no bucket {s3.bucket}: create it, or set S3_BUCKET"
        case "InvalidAccessKeyId":
            return "the store does not know the access key: set S3_ACCESS_KEY"
        case "SignatureDoesNotMatch":
            return "the secret key is not that of the access key: set S3_SECRET_KEY"
        case "RequestTimeTooSkewed":
            return "this machine's clock is wrong: set it (NTP)"
        case "AuthorizationHeaderMalformed":
            return f"the region {s3.region} is not the bucket's: set S3_REGION"
    if status == 507 or re.search(r"Quota|StorageFull|InsufficientStorage|InsufficientCapacity", code):
        return "the store or its quota is full: free space or raise it"
    if status in (401, 403):
        return (
            "these keys may not do this: set S3_ACCESS_KEY and S3_SECRET_KEY to some that may read and write the bucket"
        )
    if status == 429 or code == "SlowDown":
        return "too many requests for the store, even after waiting: run fewer workers at once"
    if status >= 500:
        return "the store itself has a fault"
    return "set S3_ENDPOINT, S3_BUCKET and S3_REGION as the provider of the store documents"
