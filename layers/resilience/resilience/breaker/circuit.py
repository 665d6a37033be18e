"""One circuit in one environment: its counts, its decisions, and its copy of the shared record.

Nothing here waits or does I/O: `breaker.admission` and `breaker.publisher` call these methods and act on what they
return. Three rules hold. Each call belongs to the generation it began in, and a result from an older generation cannot
change the state. Every change of state begins a new generation. The known record is replaced only by one with a higher
version, unless the version numbers in the store have restarted.

Clocks: an open circuit may be probed, and a lease ends, as soon as the wall clock or the monotonic clock says so. The
lease of another environment ends when this one has seen it unchanged for its whole length. Too early is harmless: at
worst two environments probe. Too late is not: the wall clock may be set back, and the monotonic clock may stop while
Lambda freezes the environment.
"""

from __future__ import annotations

import threading

from resilience import events
from resilience._fork import register_after_fork
from resilience.breaker.config import CircuitConfig
from resilience.breaker.notifier import TransitionNotifier
from resilience.breaker.outcomes import OutcomeClassifier
from resilience.breaker.permit import ELECTION, Permit
from resilience.breaker.record import Record, from_item, make_id
from resilience.breaker.states import CircuitSnapshot, CircuitState, CircuitTransition
from resilience.breaker.thresholds import reason_to_open
from resilience.breaker.window import Attributed, Counts, Window
from resilience.errors import CircuitOpenError
from resilience.store.protocol import Item

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class Circuit:
    """The state of one circuit. The fast path reads and writes the first five attributes without the lock."""

    def __init__(self, name: str, config: CircuitConfig) -> None:
        self.fast_from = self.fast_until = 0.0
        self.successes = self.consecutive_failures = 0
        self.permit = Permit(0, False)
        self.name, self.config, self.classifier = name, config, OutcomeClassifier(name, config)
        self.state = CLOSED
        self.generation = self.version = 0
        self.record = Record(CLOSED)
        self.failures = self.slow = 0
        self.is_prober = self.electing = False
        self._window = Window(config.window_seconds)
        self._attributed, self._attributed_in_a_row, self._slow_callers = (
            Attributed(config.minimum_callers) for _ in range(3)
        )
        self._failed_probers: dict[str | None, int] = {}
        self._by_caller = config.minimum_callers > 1
        self._retry = self._lease = (0.0, 0.0)
        self._probe_abandoned = False
        self._probes = self._successful_probes = self._rejected = self._total_failures = 0
        self._last_failure_at: float | None = None
        self.notifier = TransitionNotifier(config.on_transition)
        self.lock = threading.Lock()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Reset in a forked child what belongs to the parent: calls in progress, counts, and a lease that it won."""
        self.lock = threading.Lock()
        self.electing = False
        self._rejected = self._total_failures = 0
        self._last_failure_at = None
        self._begin(self.state, self.config.clock.wall())

    # ------------------------------------------------------------------ before a call

    def enter(self, now: float, valid: tuple[float, float]) -> Permit:
        """Admit a call that the fast path did not admit.

        Args:
            now: The wall clock, in Unix seconds.
            valid: (from, until): the Unix seconds between which the shared snapshot is recent enough. The fast path
                ends no later.

        Returns:
            The call's permit, or ELECTION if the call must win an election first.

        Raises:
            CircuitOpenError: The circuit is open, or half-open without a free probe; do not make the call.
        """
        with self.lock:
            if self.state is CLOSED:
                self._roll_if_over(now)
                self.fast_from = max(self._window.since, valid[0])
                self.fast_until = min(self._window.ends(), valid[1])
                return self.permit
            self._drop_lease_if_over(now)
            wait = self._wait(now)
            if self.state is HALF_OPEN and self.is_prober and wait == 0.0:
                if self._probes < self.config.half_open_max_calls and not self._probed_in_vain():
                    self._probes += 1
                    return Permit(self.generation, True)
            elif wait == 0.0 and not self.electing:
                self.electing = True
                return ELECTION
            self._rejected += 1
        events.emit(events.CIRCUIT_REJECTED, self.name)
        raise CircuitOpenError(self.name, wait or min(1.0, self.config.recovery_timeout), forced=self.record.forced)

    def _wait(self, now: float) -> float:
        """Return the seconds until a probe or an election may begin; 0.0 if it may begin now."""
        steady = self.config.clock.steady()
        if self.state is OPEN:
            if self.record.forced:
                return self.config.max_recovery_timeout or self.config.recovery_timeout
            return max(0.0, min(self._retry[0] - now, self._retry[1] - steady))
        if self.state is HALF_OPEN and not self.is_prober:
            return max(0.0, min(self._lease[0] - now, self._lease[1] - steady))
        return 0.0

    def _drop_lease_if_over(self, now: float) -> None:
        """Stop probing if this environment's lease has ended by either clock.

        The current call may then run for a new lease at once, unless a probe of the old one was abandoned. An
        environment whose probes are always cancelled, such as those of a readiness check, never gets a result and would
        renew its lease forever. So it waits for one more `lease_seconds`, in which another environment can be elected.
        """
        if not (self.state is HALF_OPEN and self.is_prober):
            return
        steady = self.config.clock.steady()
        if now >= self._lease[0] or steady >= self._lease[1]:
            more = self.record.lease_seconds if self._probe_abandoned else 0.0
            self._begin(HALF_OPEN, now)
            self._lease = (now + more, steady + more)

    # ------------------------------------------------------------------ after a call

    def succeeded(self, permit: Permit, now: float, *, slow: bool = False) -> Record | None:
        """Count a success; a slow probe counts as a failed one.

        Returns:
            The record to publish if the state changed, else None.
        """
        with self.lock:
            if permit.generation != self.generation:
                return None
            if permit.probe:
                return self._probe_failed(now, None, attributed=self._by_caller) if slow else self._probe_succeeded(now)
            self._roll_if_over(now)
            self.successes += 1
            self.consecutive_failures = 0
            if not slow:
                return None
            self._count_slow()
            return self._trip(now, None)

    def failed(self, permit: Permit, now: float, *, error: BaseException | None, slow: bool = False) -> Record | None:
        """Count a failure.

        Args:
            permit: The call's permit.
            now: The wall clock, in Unix seconds.
            error: What the call raised; None if `is_failure` judged its result a failure.
            slow: Whether the call was slow.

        Returns:
            The record to publish if the state changed, else None.
        """
        asked = self.classifier.retry_after(error) if error is not None else None
        attributed = self._by_caller and self.classifier.may_be_callers_doing(error)
        with self.lock:
            self._total_failures += 1
            self._last_failure_at = now
            if permit.generation != self.generation:
                return None
            if permit.probe:
                return self._probe_failed(now, asked, attributed=attributed)
            self._roll_if_over(now)
            if self.consecutive_failures == 0:  # a success ended the row, perhaps on the fast path
                self._attributed_in_a_row.clear()
            self.failures += 1
            self.consecutive_failures += 1
            if attributed:
                caller = self.classifier.caller()
                self._attributed.add(caller)
                self._attributed_in_a_row.add(caller)
            if slow:
                self._count_slow()
            return self._trip(now, asked)

    def _count_slow(self) -> None:
        self.slow += 1
        if self._by_caller:
            self._slow_callers.add(self.classifier.caller())

    def abandoned(self, permit: Permit) -> None:
        """Free the slot of a probe that ended without showing whether the dependency works."""
        if permit.probe:
            with self.lock:
                if permit.generation == self.generation:
                    self._probes -= 1
                    self._probe_abandoned = True

    def _trip(self, now: float, asked: float | None) -> Record | None:
        reason = reason_to_open(self.config, self.consecutive_failures, self._attributed_in_a_row, self._counts())
        return self._open(now, 1, asked, reason) if reason else None

    def _counts(self) -> Counts:
        return self._window.totals(self._bucket())

    def _bucket(self) -> Counts:
        attributed, slow = self._attributed, self._slow_callers
        return Counts(self.successes, self.failures, self.slow, attributed.count, attributed.callers, slow.callers)

    def _roll_if_over(self, now: float) -> None:
        """Begin a new bucket if the current one is over; a success counted on the fast path meanwhile may be lost."""
        if self._window.over(now):
            self._window.push(now, self._bucket())
            self._clear_bucket()
            self.fast_until = 0.0

    def _clear_bucket(self) -> None:
        self.successes = self.failures = self.slow = 0
        self._attributed.clear()
        self._slow_callers.clear()

    def _probe_succeeded(self, now: float) -> Record | None:
        self._probes -= 1
        self._successful_probes += 1
        return self._close(now, "recovered") if self._successful_probes >= self.config.success_threshold else None

    def _probed_in_vain(self) -> bool:
        """Return whether this call's caller already failed a probe under this lease, so that other callers go first."""
        return bool(self._failed_probers) and self._failed_probers.get(self.classifier.caller()) == self.generation

    def _probe_failed(self, now: float, asked: float | None, *, attributed: bool) -> Record | None:
        """Open again, unless the failure may be the caller's own doing (`attributed`): then other callers probe first.

        The callers of such probes are remembered across leases. Once there are `minimum_callers` of them, the
        dependency counts as failed and the circuit opens.
        """
        if attributed:
            self._failed_probers[self.classifier.caller()] = self.generation
            if len(self._failed_probers) < self.config.minimum_callers:
                self._probes -= 1
                return None
        return self._open(now, self.record.opens + 1, asked, "probe_failed")

    # ------------------------------------------------------------------ changes of state

    def _open(self, now: float, opens: int, asked: float | None, reason: str) -> Record:
        seconds = self.config.open_seconds(opens, asked)
        return self._follow(
            Record(OPEN, make_id(), opens=opens, retry_at=now + seconds, open_seconds=seconds, reason=reason), now
        )

    def _close(self, now: float, reason: str) -> Record:
        return self._follow(Record(CLOSED, make_id(), reason=reason), now)

    def version_of(self, record: Record) -> int | None:
        """Return the version that a decision was based on; None if the circuit has followed another record since."""
        with self.lock:
            return self.version if self.record is record else None

    def renumbered(self, before: int, version: int) -> None:
        """Take the version found in the store, even a lower one, unless the known version is no longer `before`."""
        with self.lock:
            if self.version == before:
                self.version = version

    def written(self, version: int) -> None:
        """Record that this circuit's own decision is in the store with this version."""
        with self.lock:
            self.version = max(version, self.version)

    def candidate(self) -> tuple[Record, Record, int]:
        """Return the known record, the half-open record that an election would write, and the version to replace."""
        with self.lock:
            lease, opens = self.config.lease_seconds, self.record.opens
            record = Record(HALF_OPEN, make_id(), opens=opens, lease_seconds=lease, reason="probe")
            return self.record, record, self.version

    def elected(self, known: Record, record: Record, wall: float, steady: float) -> Permit | None:
        """Begin to probe under a lease that began when the election's write was sent.

        Args:
            known: The record known when the election began; see `candidate`.
            record: The half-open record of the election.
            wall: The wall clock when the write was sent, in Unix seconds.
            steady: The monotonic clock when the write was sent, in seconds.

        Returns:
            The first probe's permit, or None if the circuit followed another record while the election ran, such as a
            reset or a forced opening.
        """
        with self.lock:
            self.electing = False
            if self.record is not known and self.record.writer != record.writer:
                return None
            self._follow(record, wall)
            self.is_prober = True
            self._lease = (wall + record.lease_seconds, steady + record.lease_seconds)
            self._probes = 1
            return Permit(self.generation, True)

    def lost_election(self) -> None:
        """End an election without a lease. If another environment won it, its record is followed already."""
        with self.lock:
            self.electing = False

    def command(self, state: CircuitState, now: float, seconds: float | None = None) -> Record:
        """Apply an operator's command in this environment.

        Args:
            state: CLOSED resets the circuit, OPEN forces it open.
            now: The wall clock, in Unix seconds.
            seconds: Seconds to stay open; None keeps it open until a reset.

        Returns:
            The record to publish.
        """
        with self.lock:
            if state is CLOSED:
                return self._close(now, "reset")
            forced, length = seconds is None, seconds or 0.0
            return self._follow(Record(OPEN, make_id(), 1, now + length, length, forced=forced, reason="forced"), now)

    def learn(self, item: Item) -> None:
        """Follow the record that another environment wrote, if its version is higher than the known one."""
        self.follow(from_item(item), item.version or 0)

    def follow(self, record: Record, version: int) -> None:
        """Follow a record if its version is higher than the known one.

        Of the circuit's own write, read back, only the version is new.
        """
        with self.lock:
            if version <= self.version:
                return
            self.version = version
            if record.writer != self.record.writer or not record.writer:
                self._follow(record, self.config.clock.wall(), reason="shared")

    def adopt(self, record: Record, version: int) -> None:
        """Follow the record in the store even though its version is lower: the version numbers have restarted."""
        with self.lock:
            self.version = version
            self._follow(record, self.config.clock.wall(), reason="shared")

    def forget(self) -> None:
        """Drop the known record and be closed until the store is read again."""
        with self.lock:
            self.version, self.record, self.electing = 0, Record(CLOSED), False
            self._begin(CLOSED, self.config.clock.wall())

    def _follow(self, record: Record, now: float, *, reason: str = "") -> Record:
        before, self.record = self.state, record
        self._begin(record.state, now)
        steady = self.config.clock.steady()
        if record.state is OPEN:
            left = min(max(0.0, record.retry_at - now), record.open_seconds)
            self._retry = (record.retry_at, steady + left)
        elif record.state is HALF_OPEN:
            self._lease = (now + record.lease_seconds, steady + record.lease_seconds)
        if before is not record.state:
            wait = record.open_seconds if record.state is OPEN and not record.forced else None
            self.notifier.add(CircuitTransition(self.name, before, record.state, reason or record.reason, wait))
        return record

    def _begin(self, state: CircuitState, now: float) -> None:
        """Begin a generation: the results of calls in progress become stale, and the counts restart."""
        self.generation += 1
        self.state = state
        self.fast_from = self.fast_until = 0.0
        self.permit = Permit(self.generation, False)
        self._clear_bucket()
        self.consecutive_failures = 0
        self._attributed_in_a_row.clear()
        if state is not HALF_OPEN:
            self._failed_probers.clear()
        self._probes = self._successful_probes = 0
        self.is_prober = self._probe_abandoned = False
        self._window.clear(now)

    def snapshot(self, now: float) -> CircuitSnapshot:
        """Return the circuit's state and counts as known in this environment; `now` in Unix seconds."""
        with self.lock:
            counts = self._counts()
            wait = 0.0 if self.state is CLOSED else self._wait(now)
            record = self.record
            return CircuitSnapshot(
                self.name,
                self.state,
                self.version,
                counts.successes + counts.failures,
                counts.failures,
                counts.slow,
                self.consecutive_failures,
                record.opens,
                wait,
                record.forced,
                self._rejected,
                record.reason,
                self._total_failures,
                self._last_failure_at,
            )
