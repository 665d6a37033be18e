"""The settings of Supabase Auth in `supabase/config.toml`, as the Supabase CLI reads them."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import StackError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True)
class MailTemplate:
    """An email: its subject, and the file with its text; None: a minimal text."""

    subject: str
    content: Path | None


@dataclass(frozen=True)
class Config:
    """The settings that the stand-in supports, by their names in the file; durations in seconds.

    Attributes:
        limits: calls in five minutes from one address, by name; mails in an hour as `email_sent`.
        templates: of mails, by kind.
    """

    site_url: str
    additional_redirect_urls: tuple[str, ...]
    jwt_expiry: int
    enable_signup: bool
    email_enabled: bool
    minimum_password_length: int
    enable_refresh_token_rotation: bool
    refresh_token_reuse_interval: int
    double_confirm_changes: bool
    enable_confirmations: bool
    secure_password_change: bool
    max_frequency: float
    otp_length: int
    otp_expiry: int
    totp_enroll: bool
    totp_verify: bool
    limits: Mapping[str, int]
    templates: Mapping[str, MailTemplate]

    @classmethod
    def load(cls, path: Path) -> "Config":
        """The settings in a file, with the CLI's defaults.

        Raises:
            StackError: the file cannot be read.
        """
        try:
            auth: dict[str, Any] = tomllib.loads(path.read_text())["auth"]
        except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
            raise StackError(f"{path} is no configuration of a Supabase project: {error}") from error
        email, totp = auth.get("email", {}), auth.get("mfa", {}).get("totp", {})
        limits = {"email_sent": 2, "sign_in_sign_ups": 30, "token_refresh": 150, "token_verifications": 30}
        return cls(
            site_url=auth.get("site_url", "http://localhost:3000"),
            additional_redirect_urls=tuple(auth.get("additional_redirect_urls", ())),
            jwt_expiry=auth.get("jwt_expiry", 3600),
            enable_signup=auth.get("enable_signup", True),
            email_enabled=email.get("enable_signup", True),
            minimum_password_length=max(6, auth.get("minimum_password_length", 6)),
            enable_refresh_token_rotation=auth.get("enable_refresh_token_rotation", True),
            refresh_token_reuse_interval=auth.get("refresh_token_reuse_interval", 10),
            double_confirm_changes=email.get("double_confirm_changes", True),
            enable_confirmations=email.get("enable_confirmations", False),
            secure_password_change=email.get("secure_password_change", False),
            max_frequency=_seconds(email.get("max_frequency", "1s")),
            otp_length=email.get("otp_length", 6),
            otp_expiry=email.get("otp_expiry", 3600),
            totp_enroll=totp.get("enroll_enabled", False),
            totp_verify=totp.get("verify_enabled", False),
            limits={**limits, **auth.get("rate_limit", {})},
            templates={
                kind: MailTemplate(entry["subject"], _content(path, entry))
                for kind, entry in email.get("template", {}).items()
            },
        )


def _content(path: Path, entry: Mapping[str, str]) -> Path | None:
    # The CLI reads it below the folder that holds `supabase`.
    return path.parent.parent / entry["content_path"] if "content_path" in entry else None


def _seconds(text: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", text))
