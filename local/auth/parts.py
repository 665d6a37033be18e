"""The objects that handlers share."""

from local.auth.accounts import Accounts
from local.auth.factors import Factors
from local.auth.limits import RateLimits
from local.auth.mail import Mailbox
from local.auth.one_time import OneTimeTokens
from local.auth.pool import Pool
from local.auth.sessions import Sessions
from local.auth.settings import Settings


class Parts:
    """The parts of the stand-in, over one pool of connections."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.config = settings, settings.config
        self.pool = Pool(settings.dsn)
        self.accounts = Accounts(self.pool)
        self.sessions = Sessions(self.pool, self.accounts, settings)
        self.mailbox = Mailbox(settings.mailbox, self.config, settings.issuer, limited=settings.limited)
        self.one_time = OneTimeTokens(self.pool, self.accounts, self.mailbox, self.config)
        self.factors = Factors(self.pool, self.sessions, self.config)
        self.limits = RateLimits(self.config.limits if settings.limited else None)
