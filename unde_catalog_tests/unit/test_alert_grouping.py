import pytest

from unde_catalog.operations.alerts.grouping import reason_key
from unde_catalog.operations.alerts.sanitize import MAX_REASON, harmless, sanitizer
from unde_catalog.settings.environment import load_settings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "originals of zara stopped: the proxy refused the credentials (407): check PROXY_URL",
            "originals of oysho stopped: the proxy refused the credentials (407): check PROXY_URL",
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
def test_failures_that_differ_in_brand_number_or_id_are_one_incident(one: str, other: str) -> None:
    assert reason_key(one) == reason_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the proxy refused the credentials (407)", "the database can't be used: no connection"),
        ("the host can't be reached, it isn't there", "the host can't be found, it isn't there"),
        ("zarathustra is away", "zara is away"),
    ],
)
def test_failures_with_different_reasons_are_different_incidents(one: str, other: str) -> None:
    assert reason_key(one) != reason_key(other)


def test_sanitized_text_is_one_short_line_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIFY_TOKEN", "apify-planted-8f3a61")
    monkeypatch.setenv("NOTICE_WEBHOOK_SECRET", "signing-planted-0b72d9")
    monkeypatch.setenv("NOTICE_WEBHOOK_URL", "https://hooks.test/services/T0000/planted-in-the-path")
    monkeypatch.setenv("NOTICE_SMTP_URL", "smtp://someone:smtp-planted@mail.test:587")
    sanitize = sanitizer(load_settings())
    assert sanitize("a\r\nBcc: everyone\x00 \u202etxet\u2066 end") == "a Bcc: everyone txet end"
    assert sanitize("token apify-planted-8f3a61") == "token ***"
    assert sanitize("POST https://hooks.test/services/T0000/planted-in-the-path and planted-in-the-path") == (
        "POST *** and ***"
    )
    assert sanitize("smtp-planted signing-planted-0b72d9") == "*** ***"
    assert sanitize("at postgresql://role:in-no-setting@host/db") == "at postgresql://***@host/db"
    assert len(sanitize("x" * 100_000)) == MAX_REASON


@pytest.mark.parametrize(
    ("hostile", "forbidden"),
    [
        ("<!channel> <@U123> <script>alert(1)</script>", ["<"]),
        ("@channel @all @here", ["@channel", "@all", "@here"]),
        ("![x](http://evil.test/p.png) [click](https://evil.test)", ["](", "://"]),
    ],
)
def test_chat_text_contains_no_active_mention_link_or_tag(hostile: str, forbidden: list[str]) -> None:
    text = harmless(hostile)
    assert [one for one in forbidden if one in text] == []
