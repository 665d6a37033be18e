"""Reports a circuit's changes of state in order, without holding the circuit's lock."""

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
    """A queue of changes of state that have not been reported yet.

    One thread reports at a time: a slow hook delays only that thread, and hooks may use any circuit.

    Args:
        hook: Called with each change, after the subscribers of `resilience.events`; None for no hook.
    """

    def __init__(self, hook: Callable[[CircuitTransition], object] | None) -> None:
        self._hook = hook
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock and drop the queue in a forked child: the parent reports those changes."""
        self._waiting: deque[CircuitTransition] = deque()
        self._notifying = threading.Lock()

    def add(self, transition: CircuitTransition) -> None:
        """Queue a change. Calls no hook, so a circuit may call this while holding its lock."""
        self._waiting.append(transition)

    def notify(self) -> None:
        """Report the queued changes, unless another thread is reporting already."""
        while self._waiting and self._notifying.acquire(blocking=False):
            try:
                while self._waiting:
                    self._notify_of(self._waiting.popleft())
            finally:
                self._notifying.release()

    def _notify_of(self, transition: CircuitTransition) -> None:
        """Report one change. Failure policy: an Exception that the hook raises is logged and ignored."""
        name, before, after, reason, wait = transition
        events.emit(events.CIRCUIT_TRANSITION, name, before=before, after=after, reason=reason, retry_after=wait)
        if self._hook is None:
            return
        try:
            self._hook(transition)
        except Exception:
            logger.warning("on_transition of circuit %s raised; ignored", name, exc_info=True)
