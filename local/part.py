"""The interface of every backing part of the stack, with which tests can break one at a time."""

import signal
from abc import ABC, abstractmethod

from local.processes import Child


class Part(ABC):
    """A part that runs as one child process."""

    child: Child

    @abstractmethod
    def launch(self) -> None:
        """Start the process without waiting for it."""

    @abstractmethod
    def wait(self) -> None:
        """Wait until it serves."""

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.launch()
        self.wait()

    def stop(self) -> None:
        """Stop it gracefully; harmless if it is not running."""
        self.child.stop()

    @property
    def pid(self) -> int:
        """The pid of its process."""
        return self.child.pid

    def kill(self) -> None:
        """Kill it, as a crash would."""
        self.child.kill()

    def freeze(self) -> None:
        """Suspend it: it keeps its connections and answers nothing."""
        self.child.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it after `freeze`."""
        self.child.send(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it and start it again on the same port."""
        self.stop()
        self.start()
