"""Limits on password attempts, registrations and emails.

Supabase Auth sees only our address, so its own limits cannot distinguish callers. Only failed sign-ins count, also
those for addresses without an account, so that the limits reveal nothing. There is one limit per account and network, a
higher one per account over all networks, and one per network over all accounts. The first stops someone who guesses
from one address, long before the owner would notice, or else the last does. The second stops a crowd; then the owner
has to wait too, unless already signed in.
"""

from __future__ import annotations

from resilience import RateLimiter
from studysync.context import request_context
from studysync.sealing import keyed_hash
from studysync.settings import get_settings
from studysync.web.rate_limits import Allowance, Attempt, by_network, network_of

# An attempt counts until it has succeeded, so these are also the limits on concurrent sign-ins to one account. Blocks
# of one, because tokens that environments hold in reserve would count as failures.
from_one_address = RateLimiter(per_minute=30, per_hour=60, name="sign-in", block=1)
from_everywhere = RateLimiter(per_minute=60, per_hour=300, name="sign-in-account", block=1)
_registrations = RateLimiter(name="registration")  # limits come from the settings
_mails = RateLimiter(per_minute=3, per_hour=10, name="account-mail")
_mail_tokens = RateLimiter(name="mail-token")  # limits come from the settings


def password_attempt(email: str) -> Attempt:
    """Return an attempt at the password of the account with this address, whether it exists or not."""
    context, settings = request_context(), get_settings()
    # Email addresses are stored neither in the table nor in a log.
    account = keyed_hash("sign-in", email.lower())
    return Attempt(
        "passwords_guessed",
        "Too many failed sign-ins. Try again later.",
        Allowance(from_one_address, f"{account}@{network_of(context.address if context else None)}"),
        Allowance(from_everywhere, account),
        by_network(from_one_address, settings.failed_sign_ins_per_minute, settings.failed_sign_ins_per_hour),
    )


def registration_attempt() -> Attempt:
    """Return an attempt to register. All count, even failed ones, because they reveal whether an account exists."""
    settings = get_settings()
    return Attempt(
        "registrations_limited",
        "Too many registrations from this address. Try again later.",
        by_network(_registrations, settings.registrations_per_minute, settings.registrations_per_hour),
    )


def mail_attempt(email: str) -> Attempt:
    """Return a request for an email. All count, whether an email is sent or not."""
    settings = get_settings()
    return Attempt(
        "mails_limited",
        "Too many emails requested. Try again later.",
        Allowance(_mails, keyed_hash("mail", email.lower())),
        by_network(_mails, settings.registrations_per_minute, settings.registrations_per_hour),
    )


def mail_token_attempt() -> Attempt:
    """Return an attempt to use a token from an email; only wrong tokens count."""
    settings = get_settings()
    return Attempt(
        "mail_tokens_guessed",
        "Too many invalid links. Try again later.",
        by_network(_mail_tokens, settings.failed_sign_ins_per_minute, settings.failed_sign_ins_per_hour),
    )
