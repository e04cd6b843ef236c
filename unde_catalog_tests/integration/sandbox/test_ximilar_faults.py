"""Failures of the sandbox's Ximilar: faults, a full collection, a revoked token, a killed process."""

import http.client
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from unde_catalog_tests.support.servers import Sandbox, running_sandbox
from unde_catalog_tests.support.ximilar_requests import Ximilar, encoded, picture, record, records_of


@pytest.fixture
def ximilar(sandbox: Sandbox) -> Ximilar:
    return Ximilar(sandbox)


def test_a_revoked_token_is_refused_and_a_new_one_accepted(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(ximilar={"token": "new"})
    assert ximilar.code("ping") == 401
    assert Ximilar(ximilar.sandbox, token="new").code("ping") == 200


def test_a_delayed_response_comes_after_the_work_is_done_and_logged(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(ximilar={"delay": 30})
    with pytest.raises(requests.Timeout):
        ximilar.post("insert", {"records": [record("a")]}, timeout=1)
    assert ximilar.billed_inserts() == [(["a"], 1)]
    ximilar.sandbox.control(ximilar={"delay": 0})
    assert ximilar.ids() == ["a"]


def test_an_invalid_control_request_changes_nothing(ximilar: Ximilar) -> None:
    for body in (
        {},
        {"ximilar": {}},
        {"ximilar": {"size": -1}},
        {"ximilar": {"size": 1, "colour": "red"}},
        {"faults": "ximilar.insert:gone=1"},
        {"next_faults": {"ximilar.insert": ["gone"]}, "ximilar": {"size": 0}},
        {"price": {"1": 2}},
    ):
        assert requests.post(f"{ximilar.sandbox.url}/_control", json=body, timeout=10).status_code == 400
    assert ximilar.code("insert", {"records": [record("a")]}) == 210


def _is_unreadable(response: Callable[[], Any]) -> bool:
    """Whether a client receives something that is not a response of Ximilar."""
    try:
        return not isinstance(response()[1]["status"]["code"], int)
    except (requests.RequestException, http.client.HTTPException, KeyError, TypeError):
        return True


@pytest.mark.parametrize("fault", ["429", "500", "503-in-30", "401", "body-500", "body-429", "timeout", "html"])
def test_a_fault_before_the_work_leaves_nothing_done_or_billed(ximilar: Ximilar, fault: str) -> None:
    ximilar.sandbox.control(next_faults={"ximilar.insert": [fault]})
    body = {"records": [record("a")]}
    if fault in ("timeout", "html"):
        assert _is_unreadable(lambda: ximilar.post("insert", body, timeout=1))
    else:
        expected = int("".join(letter for letter in fault.removesuffix("-in-30") if letter.isdigit()))
        status, response = ximilar.post("insert", body)
        assert (status, response["status"]["code"]) == (200 if "body" in fault else expected, expected)
    assert ximilar.ids() == []
    assert ximilar.billed_inserts() == []
    assert ximilar.code("insert", body) == 210, "the fault affected more than one request"
    assert ximilar.billed_inserts() == [(["a"], 1)]


@pytest.mark.parametrize(
    "fault",
    [
        "lost",
        "timeout-after",
        "late-30",
        "500-after",
        "body-500-after",
        "not-json",
        "wrong-types",
        "reset",
        "truncated",
    ],
)
def test_an_insert_whose_response_is_lost_is_logged_as_billed(ximilar: Ximilar, fault: str) -> None:
    ximilar.sandbox.control(next_faults={"ximilar.insert": [fault, fault]})
    body = {"records": [record("a"), record("b")]}
    if "500" in fault:
        status, response = ximilar.post("insert", body)
        assert (status, response["status"]["code"]) == (200 if "body" in fault else 500, 500)
    else:
        assert _is_unreadable(lambda: ximilar.post("insert", body, timeout=1))
    assert ximilar.billed_inserts() == [(["a", "b"], 2)]
    assert ximilar.code("get", records_of("a", "b")) == 200
    assert _is_unreadable(lambda: ximilar.post("insert", body, timeout=1)) or "500" in fault
    assert ximilar.billed_inserts() == [(["a", "b"], 2), ([], 2)], "a repeated request was not billed"
    assert [line["fault"] for line in ximilar.sandbox.log("ximilar.insert")] == [fault, fault]


def test_the_wrong_types_fault_changes_every_field(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(next_faults={"ximilar.insert": ["wrong-types"]})
    body = ximilar.insert(record("a"))[1]
    assert body["status"]["code"] == "210" and isinstance(body["status"]["text"], int)
    assert body["answer_records"] == {"0": {"_id": 1}}


def test_faults_affect_the_same_share_of_records_every_time(tmp_path: Path) -> None:
    failed = []
    for folder in ("a", "b"):
        with running_sandbox(tmp_path / folder, "--faults", "ximilar.insert:503x1=0.4", "--seed", "5") as sandbox:
            ximilar = Ximilar(sandbox)
            codes = {n: ximilar.code("insert", {"records": [record(f"r{n}")]}) for n in range(30)}
            assert set(codes.values()) == {210, 503}
            failed.append({n for n, code in codes.items() if code == 503})
            assert all(ximilar.code("insert", {"records": [record(f"r{n}")]}) == 210 for n in failed[-1])
    assert failed[0] == failed[1]
    assert 5 <= len(failed[0]) <= 19


def test_faults_of_a_running_sandbox_can_be_replaced(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(faults="ximilar.ping:503=1,ximilar.allRecords:body-500=1")
    assert [ximilar.code("ping") for _ in range(3)] == [503] * 3
    assert ximilar.code("allRecords", {}) == 500
    assert ximilar.code("get", records_of("a")) == 404
    ximilar.sandbox.control(faults="")
    assert ximilar.code("ping") == 200


def test_a_killed_sandbox_keeps_its_collection(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as sandbox:
        ximilar = Ximilar(sandbox)
        ximilar.insert(record("a", price="1"), record("b", "blue"))
        ximilar.post("delete", records_of("a"))
        ximilar.insert(record("c"))
        sandbox.process.send_signal(signal.SIGKILL)
        sandbox.process.wait(10)
    with running_sandbox(tmp_path) as sandbox:
        ximilar = Ximilar(sandbox)
        assert ximilar.ids() == ["b", "c"]
        assert ximilar.code("insert", {"records": [record("b")]}) == 411
        nearest = ximilar.post("visualKNN", {"query_record": {"_base64": encoded(picture("blue"))}, "k": 1})[1]
        assert nearest["answer_records"] == [{"_id": "b"}]
        assert sum(line.get("billed", 0) for line in sandbox.log("ximilar.insert")) == 4


def test_an_invalid_collection_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "ximilar.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(AssertionError, match="did not start"), running_sandbox(tmp_path):
        pass


def test_concurrent_requests_insert_each_record_once(ximilar: Ximilar) -> None:
    codes: list[int] = []

    def insert() -> None:
        codes.append(ximilar.code("insert", {"records": [record(f"r{n}") for n in range(10)]}))

    threads = [threading.Thread(target=insert) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [210] + [411] * 5
    assert ximilar.ids() == [f"r{n}" for n in range(10)]
    assert sum(bill for _, bill in ximilar.billed_inserts()) == 60


def test_a_full_collection_accepts_and_bills_only_what_fits(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(ximilar={"size": 3})
    ximilar.insert(record("a"), record("b"))
    status, body = ximilar.insert(record("a"), record("c"), record("d"), record("e"))
    assert (status, body["status"]["code"]) == (200, 206)
    assert body["answer_records"] == [{"_id": "c"}]
    reasons = {one["_id"]: one["reason"] for one in body["skipped_records"]}
    assert "duplicate" in reasons["a"]
    assert reasons["d"] == reasons["e"] == "the collection is full"
    assert ximilar.insert(record("d"))[1]["status"]["code"] == 412
    assert ximilar.insert(record("a"), record("d"))[1]["status"]["code"] == 412
    assert ximilar.insert(record("a"))[1]["status"]["code"] == 411
    assert ximilar.billed_inserts() == [(["a", "b"], 2), (["c"], 2), ([], 0), ([], 1), ([], 1)]
    ximilar.sandbox.control(ximilar={"remove": ["b"]})
    assert ximilar.insert(record("d"))[1]["status"]["code"] == 210
    assert ximilar.ids() == ["a", "c", "d"]
