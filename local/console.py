"""Output for the terminal."""

from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from rich.console import Console
from rich.markup import escape

_CREDENTIALS = '"email":"ada@example.com","password":"analytical1"'  # of the tour in README.md


class Terminal:
    """Prints short lines; long ones are left for the terminal to wrap, so that they can be copied."""

    def __init__(self) -> None:
        self._console = Console(soft_wrap=True, highlight=False)

    def part(self, name: str, seconds: float, detail: str) -> None:
        """Report that a part of the stack is up."""
        self._console.print(f"  [green]✓[/] {name:<12}[dim]{seconds:6.2f} s[/]  {escape(detail)}")

    def say(self, text: str) -> None:
        """Print plain text."""
        self._console.print(escape(text))

    def notice(self, text: str) -> None:
        """Print a warning."""
        self._console.print(f"[yellow]{escape(text)}[/]")

    def problem(self, text: str) -> None:
        """Report why the stack does not run."""
        self._console.print(f"[red]{escape(text)}[/]")

    def shared(self, url: str) -> None:
        """Warn that others on the network can reach the stack."""
        self.notice(
            f"\nOthers on your network can reach this stack on {url}: anyone there can register and use it."
            "\nThe operators' endpoints require the token below. Without HOST, only this machine can reach it."
        )

    def ready(self, url: str, dashboard: str, seconds: float, logs: Path, functions: int) -> None:
        """Report that the stack is ready; `dashboard` is a link that contains the operator token."""
        self._console.print(f"\n[bold]StudySync is up on [cyan]{url}[/] after {seconds:.1f} s[/]")
        self.say(f"{functions} functions, reloaded when their code changes. Logs: {logs}. Ctrl-C stops everything.\n")
        self.say(f"  API         {url}/api/docs")
        self.say(f"  Dashboard   {dashboard}\n")
        self.say("Try these, or take the tour in README.md:")
        # With a lower-case http_proxy, curl would send requests for this machine to the proxy.
        curl = "curl -s" if proxy_bypass("localhost") or not getproxies() else "curl -s --noproxy localhost"
        post = "-H 'content-type: application/json' -d"
        self.say(f"  {curl} {url}/health")
        self.say(f'  {curl} -X POST {url}/api/auth/register {post} \'{{"username":"ada",{_CREDENTIALS}}}\'')
        self.say(f"  {curl} -X POST {url}/api/auth/login {post} '{{{_CREDENTIALS}}}'\n")
