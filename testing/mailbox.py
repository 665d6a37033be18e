"""Reads the mails that the local stack has sent, from its folder of .eml files."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

LINK = re.compile(r'href="([^"]+)"')
TOKEN = re.compile(r"[?&]token=([0-9a-f]+)")


def mails(folder: Path, address: str) -> list[EmailMessage]:
    """Return the mails to an address, the oldest first (by file name)."""
    found = [message_from_bytes(file.read_bytes(), policy=default) for file in sorted(folder.glob("*.eml"))]
    return [mail for mail in found if mail["To"] == address]


def last_mail(folder: Path, address: str) -> EmailMessage:
    """Return the newest mail to an address."""
    found = mails(folder, address)
    assert found, f"no mail to {address}"
    return found[-1]


def link(mail: EmailMessage) -> str:
    """Return the URL of the first link in a mail."""
    match = LINK.search(mail.get_content())
    assert match
    return match[1]


def token(folder: Path, address: str) -> str:
    """Return the token in the link of the newest mail to an address."""
    match = TOKEN.search(link(last_mail(folder, address)))
    assert match
    return match[1]
