"""Local mail: each email is a file in the mailbox folder, and a page lists them."""

import re
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.policy import default
from email.utils import formatdate
from html import escape
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

from local.auth.config import Config
from local.auth.errors import AuthError

_FIELD = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")
_HOUR = 3600.0
_POLICY = default.clone(max_line_length=998)  # links stay whole
_SENDER = "StudySync <no-reply@localhost>"
_BARE = '<p>{{ .Token }}</p><p><a href="{{ .ConfirmationURL }}">{{ .ConfirmationURL }}</a></p>'
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Mailbox</title>
<h1>Mailbox</h1><p>Mail that the local stack has sent, the newest first.</p><ul>{rows}</ul></html>"""
# Maps a verification to its kind of email.
_KINDS = {"signup": "confirmation", "recovery": "recovery", "magiclink": "magic_link", "invite": "invite",
          "email_change": "email_change", "reauthentication": "reauthentication"}  # fmt: skip


class Mailbox:
    """Sends mail into a folder.

    Args:
        folder: created if it does not exist.
        config: subjects, texts, and how many may go out in an hour.
        api_url: of Auth, for links.
        limited: False disables the limit.
        clock: seconds.
    """

    def __init__(
        self, folder: Path, config: Config, api_url: str, *, limited: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._config, self._api_url = folder, config, api_url
        self._limit, self._clock = config.limits["email_sent"] if limited else None, clock
        self._sent: list[float] = []
        self._numbers = count(time.time_ns())
        folder.mkdir(parents=True, exist_ok=True)

    def send(self, to: str, verification: str, fields: Mapping[str, str], redirect_to: str | None) -> None:
        """Send the mail for a verification; `fields` are those of GoTrue's templates.

        Raises:
            AuthError: 429, too many went out in the last hour.
        """
        self._count()
        kind = _KINDS[verification]
        query = {"token": fields["TokenHash"], "type": verification, "redirect_to": self.allowed(redirect_to)}
        given = {
            "SiteURL": self._config.site_url,
            "RedirectTo": query["redirect_to"],
            "ConfirmationURL": f"{self._api_url}/verify?{urlencode(query)}",
            **fields,
        }
        template = self._config.templates.get(kind)
        text = template.content.read_text() if template and template.content else _BARE
        message = EmailMessage(_POLICY)
        message["From"], message["To"], message["Date"] = _SENDER, to, formatdate()
        message["Subject"] = template.subject if template else kind
        text = _FIELD.sub(lambda match: given.get(match[1], ""), text)
        message.set_content(text, subtype="html", cte="8bit")
        self._write(bytes(message))

    def allowed(self, redirect_to: str | None) -> str:
        """Return a link's target: an address that the configuration lists, or the site."""
        site = self._config.site_url
        if redirect_to and (redirect_to.startswith(site) or redirect_to in self._config.additional_redirect_urls):
            return redirect_to
        return site

    def page(self) -> str:
        """The list of all mail."""
        files = sorted(self._folder.glob("*.eml"), reverse=True)
        rows = [f'<li><a href="/mailbox/{file.name}">{escape(_summary(file))}</a></li>' for file in files]
        return _PAGE.format(rows="".join(rows))

    def read(self, name: str) -> str | None:
        """Return an email as it was sent, or None."""
        file = self._folder / Path(name).name
        return file.read_text() if file.suffix == ".eml" and file.is_file() else None

    def _count(self) -> None:
        if self._limit is None:
            return
        now = self._clock()
        self._sent = [then for then in self._sent if now - then < _HOUR]
        if len(self._sent) >= self._limit:
            raise AuthError(429, "over_email_send_rate_limit", "email rate limit exceeded")
        self._sent.append(now)

    def _write(self, content: bytes) -> None:
        # Gets its name only once it is complete.
        file = self._folder / f"{next(self._numbers)}.eml"
        file.with_suffix(".new").write_bytes(content)
        file.with_suffix(".new").rename(file)


def _summary(file: Path) -> str:
    lines = file.read_text().split("\n\n", 1)[0].splitlines()
    found = dict(line.partition(": ")[::2] for line in lines)
    return f"{found.get('Date', '')} · {found.get('To', '')} · {found.get('Subject', '')}"
