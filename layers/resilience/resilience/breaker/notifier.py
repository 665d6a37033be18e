"""Telling of a circuit's changes of state, in their order and without its lock."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from resilience import events
from resilience._fork import register_after_fork
from resilience.breaker.states import CircuitTransition

logger = logging.getLogger("resilience")


class TransitionNotifier:
    """TransitionNotifier that were not told of yet.

    One thread tells at a time: a slow hook keeps nobody but that thread, and hooks may use any circuit.

    Args:
        hook: Is told of each change, after the subscribers of `resilience.events`.
    """

    def __init__(self, hook: Callable[[CircuitTransition], object] | None) -> None:
        self._hook = hook
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """See ForkAware: what was not told of is the parent's."""
        self._waiting: deque[CircuitTransition] = deque()
        self._notifying = threading.Lock()

    def add(self, transition: CircuitTransition) -> None:
        """Remember a change; only keeps it, so that a circuit may call this under its lock."""
        self._waiting.append(transition)

    def notify(self) -> None:
        """Tell of the changes since the last time."""
        while self._waiting and self._notifying.acquire(blocking=False):
            try:
                while self._waiting:
                    self._notify_of(self._waiting.popleft())
            finally:
                self._notifying.release()

    def _notify_of(self, transition: CircuitTransition) -> None:
        """Failure policy: a hook that raises is logged and ignored."""
        name, before, after, reason, wait = transition
        events.emit(events.CIRCUIT_TRANSITION, name, before=before, after=after, reason=reason, retry_after=wait)
        if self._hook is None:
            return
        try:
            self._hook(transition)
        except Exception:
            logger.warning("on_transition of circuit %s raised; ignored", name, exc_info=True)
