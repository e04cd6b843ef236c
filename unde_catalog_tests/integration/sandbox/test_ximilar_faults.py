"""The sandbox's Ximilar when things go wrong: faults, a full collection, a revoked token, a killed process."""

import http.client
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from unde_catalog_tests.support.servers import Sandbox, running_sandbox
from unde_catalog_tests.support.ximilar_requests import Ximilar, encoded, named, picture, record


@pytest.fixture
def ximilar(sandbox: Sandbox) -> Ximilar:
    return Ximilar(sandbox)


def test_a_revoked_token_is_refused_and_a_new_one_taken(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(ximilar={"token": "new"})
    assert ximilar.code("ping") == 401
    assert Ximilar(ximilar.sandbox, token="new").code("ping") == 200


def test_a_delay_holds_the_answer_up_after_the_work_is_done_and_logged(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(ximilar={"delay": 30})
    with pytest.raises(requests.Timeout):
        ximilar.post("insert", {"records": [record("a")]}, timeout=1)
    assert ximilar.bought() == [(["a"], 1)]
    ximilar.sandbox.control(ximilar={"delay": 0})
    assert ximilar.ids() == ["a"]


def test_an_order_that_makes_no_sense_changes_nothing(ximilar: Ximilar) -> None:
    for order in (
        {},
        {"ximilar": {}},
        {"ximilar": {"size": -1}},
        {"ximilar": {"size": 1, "colour": "red"}},
        {"faults": "ximilar.insert:gone=1"},
        {"next_faults": {"ximilar.insert": ["gone"]}, "ximilar": {"size": 0}},
        {"price": {"1": 2}},
    ):
        assert requests.post(f"{ximilar.sandbox.url}/_control", json=order, timeout=10).status_code == 400
    assert ximilar.code("insert", {"records": [record("a")]}) == 210


def _broken(answer: Callable[[], Any]) -> bool:
    """Whether a client gets anything that it can't read as an answer of Ximilar."""
    try:
        return not isinstance(answer()[1]["status"]["code"], int)
    except (requests.RequestException, http.client.HTTPException, KeyError, TypeError):
        return True


@pytest.mark.parametrize("fault", ["429", "500", "503-in-30", "401", "body-500", "body-429", "timeout", "html"])
def test_a_fault_instead_of_the_work_leaves_nothing_done_or_billed(ximilar: Ximilar, fault: str) -> None:
    ximilar.sandbox.control(next_faults={"ximilar.insert": [fault]})
    body = {"records": [record("a")]}
    if fault in ("timeout", "html"):
        assert _broken(lambda: ximilar.post("insert", body, timeout=1))
    else:
        said = int("".join(letter for letter in fault.removesuffix("-in-30") if letter.isdigit()))
        status, answer = ximilar.post("insert", body)
        assert (status, answer["status"]["code"]) == (200 if "body" in fault else said, said)
    assert ximilar.ids() == []
    assert ximilar.bought() == []
    assert ximilar.code("insert", body) == 210, "only the next request is struck"
    assert ximilar.bought() == [(["a"], 1)]


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
def test_an_answer_that_is_lost_after_the_work_stands_in_the_log_as_bought(ximilar: Ximilar, fault: str) -> None:
    ximilar.sandbox.control(next_faults={"ximilar.insert": [fault, fault]})
    body = {"records": [record("a"), record("b")]}
    if "500" in fault:
        status, answer = ximilar.post("insert", body)
        assert (status, answer["status"]["code"]) == (200 if "body" in fault else 500, 500)
    else:
        assert _broken(lambda: ximilar.post("insert", body, timeout=1))
    assert ximilar.bought() == [(["a", "b"], 2)]
    assert ximilar.code("get", named("a", "b")) == 200
    assert _broken(lambda: ximilar.post("insert", body, timeout=1)) or "500" in fault
    assert ximilar.bought() == [(["a", "b"], 2), ([], 2)], "a repeat is billed again"
    assert [line["fault"] for line in ximilar.sandbox.log("ximilar.insert")] == [fault, fault]


def test_wrong_types_are_wrong_everywhere(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(next_faults={"ximilar.insert": ["wrong-types"]})
    body = ximilar.insert(record("a"))[1]
    assert body["status"]["code"] == "210" and isinstance(body["status"]["text"], int)
    assert body["answer_records"] == {"0": {"_id": 1}}


def test_the_dial_strikes_a_share_of_the_records_and_the_same_ones_every_time(tmp_path: Path) -> None:
    struck = []
    for folder in ("a", "b"):
        with running_sandbox(tmp_path / folder, "--faults", "ximilar.insert:503x1=0.4", "--seed", "5") as sandbox:
            ximilar = Ximilar(sandbox)
            codes = {n: ximilar.code("insert", {"records": [record(f"r{n}")]}) for n in range(30)}
            assert set(codes.values()) == {210, 503}
            struck.append({n for n, code in codes.items() if code == 503})
            assert all(ximilar.code("insert", {"records": [record(f"r{n}")]}) == 210 for n in struck[-1])
    assert struck[0] == struck[1]
    assert 5 <= len(struck[0]) <= 19


def test_the_dial_of_a_running_sandbox_is_replaced(ximilar: Ximilar) -> None:
    ximilar.sandbox.control(faults="ximilar.ping:503=1,ximilar.allRecords:body-500=1")
    assert [ximilar.code("ping") for _ in range(3)] == [503] * 3
    assert ximilar.code("allRecords", {}) == 500
    assert ximilar.code("get", named("a")) == 404
    ximilar.sandbox.control(faults="")
    assert ximilar.code("ping") == 200


def test_a_killed_sandbox_still_has_its_collection(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as sandbox:
        ximilar = Ximilar(sandbox)
        ximilar.insert(record("a", price="1"), record("b", "blue"))
        ximilar.post("delete", named("a"))
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


def test_a_file_that_is_no_collection_is_named(tmp_path: Path) -> None:
    (tmp_path / "ximilar.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(AssertionError, match="did not start"), running_sandbox(tmp_path):
        pass


def test_many_at_once_insert_each_record_once(ximilar: Ximilar) -> None:
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
    assert sum(bill for _, bill in ximilar.bought()) == 60


def test_a_full_collection_takes_what_finds_room_and_bills_no_more(ximilar: Ximilar) -> None:
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
    assert ximilar.bought() == [(["a", "b"], 2), (["c"], 2), ([], 0), ([], 1), ([], 1)]
    ximilar.sandbox.control(ximilar={"remove": ["b"]})
    assert ximilar.insert(record("d"))[1]["status"]["code"] == 210
    assert ximilar.ids() == ["a", "c", "d"]
