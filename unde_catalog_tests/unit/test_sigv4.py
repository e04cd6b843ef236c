"""Signatures as the sandbox's bucket checks them, on the two examples that Amazon documents."""

from dataclasses import replace

import pytest

from unde_catalog.sandbox.s3 import sigv4
from unde_catalog.sandbox.s3.sigv4 import Problem, ReceivedRequest

SECRETS = {"AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
NOW = 1_369_353_600.0  # 24 May 2013, midnight UTC
NO_BODY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HEADERS = {
    "host": "examplebucket.s3.amazonaws.com",
    "range": "bytes=0-9",
    "x-amz-content-sha256": NO_BODY,
    "x-amz-date": "20130524T000000Z",
    "authorization": (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    ),
}
IN_HEADERS = ReceivedRequest("GET", "/test.txt", "", HEADERS)
IN_QUERY = ReceivedRequest(
    "GET",
    "/test.txt",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    {"host": "examplebucket.s3.amazonaws.com"},
)
MALFORMED = "AuthorizationHeaderMalformed"
MALFORMED_QUERY = "AuthorizationQueryParametersError"


def with_header(name: str, value: str) -> ReceivedRequest:
    return replace(IN_HEADERS, headers={**HEADERS, name: value})


def in_authorization(old: str, new: str) -> ReceivedRequest:
    return with_header("authorization", HEADERS["authorization"].replace(old, new))


def in_query(old: str, new: str) -> ReceivedRequest:
    return replace(IN_QUERY, query=IN_QUERY.query.replace(old, new))


@pytest.mark.parametrize("sent", [IN_HEADERS, IN_QUERY])
def test_amazons_examples_are_signed_correctly(sent: ReceivedRequest) -> None:
    assert sigv4.is_signed(sent)
    assert sigv4.find_problem(sent, SECRETS, NOW) is None


@pytest.mark.parametrize("sent", [IN_HEADERS, IN_QUERY])
def test_another_secret_method_path_query_or_host_does_not_match(sent: ReceivedRequest) -> None:
    wrong: Problem = "SignatureDoesNotMatch"
    assert sigv4.find_problem(sent, dict.fromkeys(SECRETS, "another"), NOW) == wrong
    assert sigv4.find_problem(replace(sent, method="HEAD"), SECRETS, NOW) == wrong
    assert sigv4.find_problem(replace(sent, path="/test.txu"), SECRETS, NOW) == wrong
    assert sigv4.find_problem(replace(sent, query=f"{sent.query}&prefix=a"), SECRETS, NOW) == wrong
    assert sigv4.find_problem(replace(sent, headers={**sent.headers, "host": "other"}), SECRETS, NOW) == wrong


def test_an_unknown_key_is_distinguished_from_a_wrong_secret() -> None:
    assert sigv4.find_problem(IN_HEADERS, {"OTHER": "secret"}, NOW) == "InvalidAccessKeyId"
    assert sigv4.find_problem(IN_QUERY, {}, NOW) == "InvalidAccessKeyId"


@pytest.mark.parametrize(
    ("sent", "now", "problem"),
    [
        (IN_HEADERS, NOW + 899, None),
        (IN_HEADERS, NOW + 901, "RequestTimeTooSkewed"),
        (IN_HEADERS, NOW - 901, "RequestTimeTooSkewed"),
        (IN_QUERY, NOW + 86_399, None),
        (IN_QUERY, NOW + 86_401, "AccessDenied"),
        (IN_QUERY, NOW - 901, "AccessDenied"),
    ],
)
def test_a_signature_expires(sent: ReceivedRequest, now: float, problem: Problem | None) -> None:
    assert sigv4.find_problem(sent, SECRETS, now) == problem


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (with_header("authorization", "Bearer abc"), MALFORMED),
        (with_header("authorization", ""), MALFORMED),
        (in_authorization("/s3/", "/ec2/"), MALFORMED),
        (in_authorization("20130524/", "20130525/"), MALFORMED),
        (with_header("x-amz-date", "yesterday"), MALFORMED),
        (with_header("x-amz-security-token", "not signed"), "SignatureDoesNotMatch"),
        (in_authorization("host;", ""), "SignatureDoesNotMatch"),
        (in_authorization("host;", "accept;host;"), "SignatureDoesNotMatch"),
        (in_query("Expires=86400", "Expires=604801"), MALFORMED_QUERY),
        (in_query("&X-Amz-Expires=86400", ""), MALFORMED_QUERY),
        (in_query("SHA256", "MD5"), MALFORMED_QUERY),
        (in_query("&X-Amz-SignedHeaders=host", ""), MALFORMED_QUERY),
    ],
)
def test_other_kinds_of_signatures_are_refused(sent: ReceivedRequest, problem: Problem) -> None:
    assert sigv4.find_problem(sent, SECRETS, NOW) == problem


def test_an_unsigned_request_has_no_credentials() -> None:
    assert not sigv4.is_signed(ReceivedRequest("GET", "/a", "list-type=2&prefix=X-Amz-", {"host": "a"}))
