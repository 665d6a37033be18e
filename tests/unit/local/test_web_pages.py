"""Which requests count as coming from another site's page."""

import pytest

from local.gateway.cors import is_shared
from local.web_pages import is_from_page, is_own_host


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "app.localhost",
        "127.0.0.1",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:8000",
        "192.168.1.7:8000",
    ],
)
def test_names_that_no_other_site_can_have(host: str) -> None:
    """Localhost and IP addresses are accepted, with and without a port."""
    assert is_own_host(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        ":8000",
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
        "[evil.example]",
        "evil.example#localhost",
        "2130706433",
        "localhost,evil.example",
        "localhost@evil.example",
    ],
)
def test_names_that_another_site_may_have(host: str | None) -> None:
    """Any name that could be rebound to this machine, and any invalid host, is refused."""
    assert not is_own_host(host)


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"sec-fetch-mode": "no-cors"}, True),
        ({"user-agent": "Mozilla/5.0 (X11)"}, True),
        ({"user-agent": "aws-lambda-python/3.13"}, False),
        ({}, False),
    ],
)
def test_what_a_browser_sends_for_a_page(headers: dict[str, str], page: bool) -> None:
    """A page's request has an origin, fetch metadata or the page's host, none of which it can omit."""
    assert is_from_page(headers) is page


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("/api/users/me", True),
        ("/api/health", True),
        ("/health", False),
        ("/health/circuits/database/open", False),
        ("/%68ealth/metrics", False),
        ("/%2568ealth/metrics", False),
        ("/HEALTH", False),
    ],
)
def test_pages_of_other_origins_may_call_the_api_alone(path: str, shared: bool) -> None:
    """Nothing below /health is allowed, in any spelling."""
    assert is_shared(path) is shared
