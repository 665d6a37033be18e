"""What the person at the terminal sees."""

from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from rich.console import Console
from rich.markup import escape

_CREDENTIALS = '"email":"ada@example.com","password":"analytical1"'  # of the walk in README.md


class Terminal:
    """Prints short lines; long ones are left for the terminal to wrap, so that they can be copied."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True, highlight=False)

    def part(self, name: str, seconds: float, detail: str) -> None:
        """A part of the stack is up."""
        self._console.print(f"  [green]✓[/] {name:<12}[dim]{seconds:6.2f} s[/]  {escape(detail)}")

    def say(self, text: str) -> None:
        """Plain text."""
        self._console.print(escape(text))

    def notice(self, text: str) -> None:
        """Something that somebody should see at once."""
        self._console.print(f"[yellow]{escape(text)}[/]")

    def problem(self, text: str) -> None:
        """Why the stack does not run."""
        self._console.print(f"[red]{escape(text)}[/]")

    def shared(self, url: str) -> None:
        """Others reach the stack too."""
        self.notice(
            f"\nOthers on your network reach this stack on {url}: anybody there can register and use it. What operators"
            "\ndo asks for the token below. Without HOST it answers to this machine alone."
        )

    def ready(self, url: str, dashboard: str, seconds: float, logs: Path, functions: int) -> None:
        """The stack serves; `dashboard` is a link that holds the operator token."""
        self._console.print(f"\n[bold]StudySync is up on [cyan]{url}[/] after {seconds:.1f} s[/]")
        self.say(f"{functions} functions, reloaded when their code changes. Logs: {logs}. Ctrl-C stops everything.\n")
        self.say(f"  API         {url}/api/docs")
        self.say(f"  Dashboard   {dashboard}\n")
        self.say("Try, or take the walk in README.md:")
        # A lower-case http_proxy makes curl ask the proxy for this machine's own addresses.
        curl = "curl -s" if proxy_bypass("localhost") or not getproxies() else "curl -s --noproxy localhost"
        post = "-H 'content-type: application/json' -d"
        self.say(f"  {curl} {url}/health")
        self.say(f'  {curl} -X POST {url}/api/auth/register {post} \'{{"username":"ada",{_CREDENTIALS}}}\'')
        self.say(f"  {curl} -X POST {url}/api/auth/login {post} '{{{_CREDENTIALS}}}'\n")
