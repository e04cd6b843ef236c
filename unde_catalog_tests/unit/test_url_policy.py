import pytest
from yarl import URL

from unde_catalog.brands import BRANDS
from unde_catalog.net.url_policy import RefusedUrl, UrlPolicy
from unde_catalog.settings.environment import load_settings

LISTED = UrlPolicy(hosts=("*.zara.net", "photos.example", "odd.example:8443"))


@pytest.mark.parametrize(
    "url",
    [
        "https://static.zara.net/a.jpg",
        "http://static.zara.net:80/a.jpg",
        "HTTPS://STATIC.ZARA.NET/a.jpg",
        "https://a.b.zara.net/a.jpg",
        "https://photos.example/a%20b.jpg?w=1920",
        "https://odd.example:8443/a.jpg",
    ],
)
def test_a_listed_host_is_allowed(url: str) -> None:
    assert LISTED.parse(url).host


@pytest.mark.parametrize(
    "url",
    [
        "https://zara.net/a.jpg",
        "https://evilzara.net/a.jpg",
        "https://static.zara.net.evil.example/a.jpg",
        "https://static.zara.net./a.jpg",
        "https://below.photos.example/a.jpg",
        "https://photos.example:8443/a.jpg",
        "https://odd.example/a.jpg",
        "https://static.zara.net:22/a.jpg",
        "https://127.0.0.1/a.jpg",
        "https://[::1]/a.jpg",
        "https://2130706433/a.jpg",
        "https://0x7f.1/a.jpg",
        "https://0177.0.0.1/a.jpg",
        "https://①②⑦.⓪.⓪.①/a.jpg",
        "https://127。0。0。1/a.jpg",
        "https://static.zara.net\\@127.0.0.1/a.jpg",
        "https://127.0.0.1#@static.zara.net/a.jpg",
        "https://127.0.0.1?@static.zara.net/a.jpg",
    ],
)
def test_an_unlisted_host_or_address_is_refused_in_every_spelling(url: str) -> None:
    with pytest.raises(RefusedUrl):
        LISTED.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "static.zara.net/a.jpg",
        "//static.zara.net/a.jpg",
        "ftp://static.zara.net/a.jpg",
        "file:///etc/passwd",
        "data:image/jpeg;base64,AAAA",
        "https://",
        "https:///a.jpg",
        "https://static.zara.net:99999/a.jpg",
        "https://static.zara.net:x/a.jpg",
        "https://user@static.zara.net/a.jpg",
        "https://user:password@static.zara.net/a.jpg",
        "https://:@static.zara.net/a.jpg",
        "https://[::1/a.jpg",
        "https://a..zara.net/a.jpg",
        f"https://{'a' * 64}.zara.net/a.jpg",
        f"https://{'a.' * 130}zara.net/a.jpg",
    ],
)
def test_a_malformed_or_non_http_url_is_refused_with_a_reason(url: str) -> None:
    for policy in (LISTED, UrlPolicy(), UrlPolicy(any_host=True)):
        with pytest.raises(RefusedUrl) as refused:
            policy.parse(url)
        assert refused.value.reason == "bad_url"


@pytest.mark.parametrize("port", [22, 25, 6379, 8080])
def test_without_a_list_only_web_ports_are_allowed(port: int) -> None:
    UrlPolicy().parse("https://static.zara.net/a.jpg")
    with pytest.raises(RefusedUrl):
        UrlPolicy().parse(f"http://static.zara.net:{port}/a.jpg")


def test_a_redirect_is_resolved_relative_to_its_source() -> None:
    base = URL("https://static.zara.net/x/a.jpg?w=1")
    assert str(LISTED.parse("../b.jpg", base)) == "https://static.zara.net/b.jpg"
    assert str(LISTED.parse("//photos.example/b.jpg", base)) == "https://photos.example/b.jpg"
    with pytest.raises(RefusedUrl):
        LISTED.parse("//10.0.0.1/b.jpg", base)


def test_the_sandbox_may_use_any_host_and_port() -> None:
    assert UrlPolicy(any_host=True).parse("http://127.0.0.1:8790/cdn/a.jpg").port == 8790


def test_each_brand_lists_its_photo_hosts_and_a_setting_replaces_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, domain in {"zara": "zara.net", "stradivarius": "e-stradivarius.net", "oysho": "oysho.net"}.items():
        listed = UrlPolicy(hosts=BRANDS[key].photo_hosts)
        listed.parse(f"https://static.{domain}/a.jpg")
        with pytest.raises(RefusedUrl):
            listed.parse("https://static.bershka.net/a.jpg")
    monkeypatch.setenv("ZARA_PHOTO_HOSTS", "Photos.example, *.cdn.example:8443")
    brands = load_settings().brands
    assert brands["zara"].photo_hosts == ("photos.example", "*.cdn.example:8443")
    assert brands["bershka"].photo_hosts == BRANDS["bershka"].photo_hosts


@pytest.mark.parametrize("entry", ["127.0.0.1", "*", "[::1]", "0x7f.1", "https://static.zara.net", "a b", "*.*.net"])
def test_the_list_of_photo_hosts_accepts_names_only(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    monkeypatch.setenv("ZARA_PHOTO_HOSTS", f"static.zara.net,{entry}")
    with pytest.raises(ValueError, match="ZARA_PHOTO_HOSTS"):
        load_settings()


def test_a_signed_url_on_a_host_in_another_script_is_sent_as_given() -> None:
    url = UrlPolicy().parse("https://müller.example/a%3Ab/../c?sig=%2F%28a")
    assert str(url) == "https://xn--mller-kva.example/a%3Ab/../c?sig=%2F%28a"
