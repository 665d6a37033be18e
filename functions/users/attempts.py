"""How often passwords may be tried, and accounts made.

Supabase Auth sees one address, ours, so its own limits cannot tell who does it. Of sign-ins only failed ones count, for
addresses of mail that nobody has as well, so that the limits tell nothing. One limit is for an account and each network
that tries, a wider one for an account and all together, and one for a network and all accounts. Who guesses from one
address is stopped by the first, long before the owner would notice, or by the last; a crowd is stopped by the second,
and then the owner has to wait as well, unless signed in already.
"""

from __future__ import annotations

from resilience import RateLimiter
from studysync.context import request_context
from studysync.sealing import keyed_hash
from studysync.settings import get_settings
from studysync.web.rate_limits import Allowance, Attempt, by_network, network_of

# A try counts until it is known to have been right, so these are also how many may sign in to one account at once.
# In blocks of one, because tokens that environments hold ready would count as failures.
from_one_address = RateLimiter(per_minute=30, per_hour=60, name="sign-in", block=1)
from_everywhere = RateLimiter(per_minute=60, per_hour=300, name="sign-in-account", block=1)
_registrations = RateLimiter(name="registration")  # with the settings' limits
_mails = RateLimiter(per_minute=3, per_hour=10, name="account-mail")
_mail_tokens = RateLimiter(name="mail-token")  # with the settings' limits


def password_attempt(email: str) -> Attempt:
    """Return a try at the password of the account that `email` belongs to, whether there is one or not."""
    context, settings = request_context(), get_settings()
    # No address of mail goes into the table or into a log.
    account = keyed_hash("sign-in", email.lower())
    return Attempt(
        "passwords_guessed",
        "Too many attempts to sign in.",
        Allowance(from_one_address, f"{account}@{network_of(context.address if context else None)}"),
        Allowance(from_everywhere, account),
        by_network(from_one_address, settings.failed_sign_ins_per_minute, settings.failed_sign_ins_per_hour),
    )


def registration_attempt() -> Attempt:
    """Return a registration. All count, also those that are refused: these tell whether somebody has an account."""
    settings = get_settings()
    return Attempt(
        "registrations_limited",
        "Too many registrations from this address.",
        by_network(_registrations, settings.registrations_per_minute, settings.registrations_per_hour),
    )


def mail_attempt(email: str) -> Attempt:
    """Return a mail that is asked for. All count, whether one is sent or not."""
    settings = get_settings()
    return Attempt(
        "mails_limited",
        "Too many mails were asked for.",
        Allowance(_mails, keyed_hash("mail", email.lower())),
        by_network(_mails, settings.registrations_per_minute, settings.registrations_per_hour),
    )


def mail_token_attempt() -> Attempt:
    """Return a try at a token of a mail; only wrong ones count."""
    settings = get_settings()
    return Attempt(
        "mail_tokens_guessed",
        "Too many links that are not valid.",
        by_network(_mail_tokens, settings.failed_sign_ins_per_minute, settings.failed_sign_ins_per_hour),
    )
