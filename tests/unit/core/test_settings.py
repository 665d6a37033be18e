"""Settings from the environment: derived addresses, secrets by reference, errors that name the variable."""

from __future__ import annotations

import json

import boto3
import pytest
from moto import mock_aws
from pydantic import ValidationError

from studysync.settings import Settings

LONG = "a token of thirty-two letters or more"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SUPABASE_URL", "https://project.supabase.co")


def test_addresses_follow_from_the_projects() -> None:
    """A hosted project needs only its URL."""
    settings = Settings.from_environment()
    assert settings.supabase_rest_url == "https://project.supabase.co/rest/v1"
    assert settings.supabase_auth_url == "https://project.supabase.co/auth/v1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUPABASE_URL", "project.supabase.co"),
        ("SUSPICION_MODE", "harsh"),
        ("MAX_REQUEST_BYTES", "0"),
        ("RATE_LIMIT_PER_HOUR", "many"),
        ("RATE_LIMIT_ADDRESS_FACTOR", "0"),
        ("REGISTRATIONS_PER_HOUR", "0"),
        ("DATABASE_TIMEOUT_SECONDS", "-1"),
    ],
)
def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A wrong setting fails at start and names the variable."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings.from_environment()


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter that a template leaves empty gets its default."""
    monkeypatch.setenv("SUPABASE_REST_URL", "")
    monkeypatch.setenv("RATE_LIMIT_PER_MINUTE", "")
    settings = Settings.from_environment()
    assert settings.supabase_rest_url == "https://project.supabase.co/rest/v1"
    assert settings.rate_limit_per_minute == 100


def test_lower_limits_are_lifted_with_that_on_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A higher limit on all calls also raises those that are not set, and a lower one never lowers their defaults."""
    assert Settings.from_environment().registrations_per_hour == 150
    monkeypatch.setenv("RATE_LIMIT_PER_HOUR", "4000")
    assert Settings.from_environment().registrations_per_hour == 600
    assert Settings.from_environment().failed_codes_per_minute == 160
    monkeypatch.setenv("REGISTRATIONS_PER_HOUR", "20")
    assert Settings.from_environment().registrations_per_hour == 20
    monkeypatch.setenv("RATE_LIMIT_PER_HOUR", "5")
    assert Settings.from_environment().failed_sign_ins_per_hour == 400


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings object in a log line or traceback does not show its secrets."""
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "very-secret")
    assert "very-secret" not in repr(Settings.from_environment())


@pytest.mark.parametrize(
    "tokens", ["ana", "[]", '{"ana": "sesame"}', '{"ana": 7}', '{"": "' + LONG + '"}', '{"a b": "' + LONG + '"}']
)
def test_operators_have_names_and_long_tokens(monkeypatch: pytest.MonkeyPatch, tokens: str) -> None:
    """Any other value is refused, and the error does not show it."""
    monkeypatch.setenv("OPERATOR_TOKENS", tokens)
    with pytest.raises(ValidationError, match="operator_tokens") as refused:
        Settings.from_environment()
    assert "sesame" not in str(refused.value)
    assert LONG not in str(refused.value)
    monkeypatch.setenv("OPERATOR_TOKENS", json.dumps({"ana": LONG}))
    assert LONG not in repr(Settings.from_environment())


@mock_aws
def test_secrets_come_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a deployed stack the key is read from Secrets Manager; a value in the environment takes precedence."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    secret = {
        "secret_key": ["sb_secret_new", "sb_secret_old"],
        "service_role_key": "eyJ.old.key",
        "captcha_secret": "solved",
        "jwt_secret": "shared",
        "stage": "ignored",
        "operator_tokens": {"ana": LONG},
    }
    boto3.client("secretsmanager").create_secret(Name="studysync/supabase", SecretString=json.dumps(secret))
    monkeypatch.setenv("SUPABASE_SECRET_NAME", "studysync/supabase")
    settings = Settings.from_environment()
    assert settings.api_keys == ("sb_secret_new", "sb_secret_old", "eyJ.old.key")
    assert settings.captcha_secret.get_secret_value() == "solved"
    assert settings.supabase_jwt_secret.get_secret_value() == "shared"
    assert settings.operator_tokens["ana"].get_secret_value() == LONG
    assert settings.stage == "local"
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "eyJ.from.environment")
    assert Settings.from_environment().api_keys == ("eyJ.from.environment",)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_1, sb_secret_2")
    assert Settings.from_environment().api_keys == ("sb_secret_1", "sb_secret_2", "eyJ.from.environment")
