import pytest

from unde_catalog.operations.alerts.grouping import reason_key
from unde_catalog.operations.alerts.sanitize import LONGEST_REASON, harmless, sanitizer
from unde_catalog.settings.environment import load_settings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "originals of zara stopped: the proxy refuses our credentials (407): check PROXY_URL",
            "originals of oysho stopped: the proxy refuses our credentials (407): check PROXY_URL",
        ),
        ("120 of 15,000 products failed in 12.5 s", "3 of 8,000 products failed in 7 s"),
        ("static.zara.net can't be reached, and isn't known", "static.oysho.net can't be reached, and isn't known"),
        ("run 5f0c2d1e-77aa-4c1e-9d1f-0123456789ab died", "run 00000000-1111-2222-3333-444444444444 died"),
        ("the account has no task 'z1psVOTyIKFdU5N9n'", "the account has no task 'another'"),
        ("Pull&Bear: too few products", "Massimo Dutti: too few products"),
        ("nothing from zara, bershka", "nothing from zara, bershka and oysho"),
        ("failed since 2026-03-01 10:00 UTC", "failed since 2026-04-12 07:31 UTC"),
    ],
)
def test_failures_that_differ_in_brand_number_or_id_have_one_cause(one: str, other: str) -> None:
    assert reason_key(one) == reason_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the proxy refuses our credentials (407)", "the database can't be used: no connection"),
        ("the host can't be reached, it isn't there", "the host can't be found, it isn't there"),
        ("zarathustra is away", "zara is away"),
    ],
)
def test_failures_for_other_reasons_have_other_causes(one: str, other: str) -> None:
    assert reason_key(one) != reason_key(other)


def test_words_of_others_are_one_short_line_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIFY_TOKEN", "apify-planted-8f3a61")
    monkeypatch.setenv("NOTICE_WEBHOOK_SECRET", "signing-planted-0b72d9")
    monkeypatch.setenv("NOTICE_WEBHOOK_URL", "https://hooks.test/services/T0000/planted-in-the-path")
    monkeypatch.setenv("NOTICE_SMTP_URL", "smtp://someone:smtp-planted@mail.test:587")
    word = sanitizer(load_settings())
    assert word("a\r\nBcc: everyone\x00 \u202etxet\u2066 end") == "a Bcc: everyone txet end"
    assert word("asked with apify-planted-8f3a61") == "asked with ***"
    assert word("POST https://hooks.test/services/T0000/planted-in-the-path and planted-in-the-path") == (
        "POST *** and ***"
    )
    assert word("smtp-planted signing-planted-0b72d9") == "*** ***"
    assert word("at postgresql://role:of-nobodys-settings@host/db") == "at postgresql://***@host/db"
    assert len(word("x" * 100_000)) == LONGEST_REASON


@pytest.mark.parametrize(
    ("hostile", "must_not_hold"),
    [
        ("<!channel> <@U123> <script>alert(1)</script>", ["<"]),
        ("@channel @all @here", ["@channel", "@all", "@here"]),
        ("![x](http://evil.test/p.png) [click](https://evil.test)", ["](", "://"]),
    ],
)
def test_nothing_in_a_chat_comes_of_what_others_write(hostile: str, must_not_hold: list[str]) -> None:
    said = harmless(hostile)
    assert [one for one in must_not_hold if one in said] == []
