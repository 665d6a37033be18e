"""The signature of requests to DynamoDB, beside botocore's own signer."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import patch

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import DynamoStore, StoreError
from resilience.store.signing import Credentials, find_credentials, find_region, sign

MOMENT = datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC)
text = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40)


def signature_of_botocore(url: str, headers: dict[str, str], body: bytes, region: str, who: Credentials) -> str:
    """Return the header that botocore's signer adds to the same request at the same time."""
    request = botocore.awsrequest.AWSRequest("POST", url, headers=headers, data=body)
    keys = botocore.credentials.Credentials(who.access_key, who.secret_key, who.token)
    with patch("botocore.auth.get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        botocore.auth.SigV4Auth(keys, "dynamodb", region).add_auth(request)
    return str(request.headers["Authorization"])


@given(body=st.binary(max_size=300), token=st.none() | text, secret=text, region=st.sampled_from(["eu-west-1", "x"]))
def test_it_is_the_signature_that_botocore_makes(body: bytes, token: str | None, secret: str, region: str) -> None:
    """For any body, secret and token."""
    headers = {"Host": "dynamodb.test:8000", "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "D.GetItem"}
    who = Credentials("AKIDEXAMPLE", secret, token)
    sent = sign(headers, body, path="/", region=region, service="dynamodb", credentials=who, now=MOMENT.timestamp())
    assert sent["Authorization"] == signature_of_botocore("http://dynamodb.test:8000/", headers, body, region, who)
    assert sent["X-Amz-Date"] == "20260228T235959Z"
    assert sent.get("X-Amz-Security-Token") == token


def test_a_secret_is_never_shown() -> None:
    """Neither the key nor the token stands in what is printed or logged."""
    shown = repr(Credentials("AKIDEXAMPLE", "the-secret", "the-token"))
    assert "the-secret" not in shown
    assert "the-token" not in shown


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that leads to no credentials and no region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_the_environment_comes_first(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Lambda gives them: key, secret, token and region."""
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "SESSION_TOKEN": "c", "REGION": "d"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    assert find_credentials()() == Credentials("a", "b", "c")
    assert find_region() == "d"


def test_a_profile_comes_next(
    nowhere: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What only botocore can find, it finds."""
    folder = tmp_path_factory.mktemp("aws")
    (folder / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (folder / "config").write_text("[default]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    assert find_credentials()() == Credentials("a", "b", None)
    assert find_region() == "eu-north-1"


def test_without_botocore_only_the_environment_counts(nowhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package needs no AWS SDK; what only that could find is then not found."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(StoreError, match="botocore is not installed"):
        find_credentials()
    with pytest.raises(StoreError, match="no region"):
        find_region()


def test_credentials_that_cannot_be_had_are_not_looked_for_all_the_time(
    nowhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking may take a second, and every protected call would wait for it."""
    looked = []

    def look() -> None:
        looked.append(1)
        raise StoreError("no credentials")

    monkeypatch.setattr("resilience.store.wire.find_credentials", look)
    store = DynamoStore("table", region="eu-west-1")
    for _ in range(5):
        with pytest.raises(StoreError):
            store.get("control", "x")
    assert len(looked) == 1


def test_credentials_that_botocore_cannot_get_are_an_error_of_the_store(
    nowhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken profile, a role that may not be taken any more, an empty key."""
    error = botocore.exceptions.ProfileNotFound(profile="gone")

    def broken() -> None:
        raise error

    def session(credentials: object) -> SimpleNamespace:
        return SimpleNamespace(get_credentials=lambda: credentials)

    monkeypatch.setattr("botocore.session.get_session", lambda: SimpleNamespace(get_credentials=broken))
    with pytest.raises(StoreError, match=r"no credentials: .*gone"):
        find_credentials()
    monkeypatch.setattr("botocore.session.get_session", lambda: session(SimpleNamespace(get_frozen_credentials=broken)))
    with pytest.raises(StoreError, match="cannot be renewed"):
        find_credentials()()
    empty = SimpleNamespace(access_key="", secret_key="", token=None)
    monkeypatch.setattr(
        "botocore.session.get_session", lambda: session(SimpleNamespace(get_frozen_credentials=lambda: empty))
    )
    with pytest.raises(StoreError, match="the key is empty"):
        find_credentials()()


def test_without_any_the_store_is_down(nowhere: None) -> None:
    """An error of the store, as any other: nothing that is protected notices."""
    with pytest.raises(StoreError, match="no credentials"):
        find_credentials()
    with pytest.raises(StoreError, match="no region"):
        find_region()
