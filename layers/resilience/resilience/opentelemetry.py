"""Exports events as OpenTelemetry metrics and span events; an optional extra, which no other module imports.

Call `instrument()` once, after the application has set its providers. Names follow OpenTelemetry's semantic
conventions: a namespace, lower case, no unit in a name, and attributes of low cardinality. So cache keys and the
subjects of rate limits, of which there may be any number, are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry import metrics, trace

from resilience import events

_ATTRIBUTES: Final = {
    events.CIRCUIT_TRANSITION: {"before": "from", "after": "to", "reason": "reason"},
    events.RATE_LIMITED: {"policy": "policy"},
    events.FALLBACK_SERVED: {"error": "error.type"},
    events.CACHE_HIT: {"level": "level"},
    events.STORE_REQUEST: {"operation": "operation"},
    events.STORE_ERROR: {"operation": "operation"},
}
_UNNAMED: Final = frozenset({events.CACHE_HIT, events.CACHE_MISS, events.CACHE_STALE})
_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}


def instrument(*, meter_provider: metrics.MeterProvider | None = None, span_events: bool = True) -> Callable[[], None]:
    """Count every event of the package, and add the important ones to the current span.

    Metrics, of the meter `studysync-resilience`:

    - A counter `resilience.<kind>` with the unit `{event}` for each kind of event, such as
      `resilience.circuit_transition`; created with the first event. Attributes: `resilience.name` (not on `cache_hit`,
      `cache_miss` and `cache_stale`), and `resilience.from`, `resilience.to`, `resilience.reason`
      (`circuit_transition`), `resilience.policy` (`rate_limited`), `error.type` (`fallback_served`), `resilience.level`
      (`cache_hit`), `resilience.operation` (`store_request`, `store_error`).
    - A gauge `resilience.circuit.state`: 0 closed, 1 half open, 2 open, with the attribute `resilience.name`. It is set
      at each transition; a circuit without one has no value.

    Args:
        meter_provider: None takes the global one.
        span_events: Whether the current span gets an event `resilience.<kind>`, with the counter's attributes, for each
            `circuit_rejected`, `circuit_transition`, `fallback_served`, `hedge`, `pool_timeout`, `rate_limited`,
            `rate_limit_open`, `retry` and `retry_budget_empty`.

    Returns:
        A function without arguments that stops both; calling it again does nothing.
    """
    meter = metrics.get_meter("studysync-resilience", meter_provider=meter_provider)
    state = meter.create_gauge("resilience.circuit.state", description="0 closed, 1 half open, 2 open")
    counters: dict[str, Any] = {}

    def count(event: events.Event) -> None:
        attributes = _attributes(event)
        counter = counters.get(event.kind)
        if counter is None:
            counter = counters[event.kind] = meter.create_counter(f"resilience.{event.kind}", unit="{event}")
        counter.add(1, attributes)
        if event.kind == events.CIRCUIT_TRANSITION:
            state.set(_STATES.get(str(event.details.get("after")), 0), {"resilience.name": event.name})
        if span_events and event.kind in _CONSEQUENCES:
            trace.get_current_span().add_event(f"resilience.{event.kind}", attributes)

    return events.subscribe(count)


_CONSEQUENCES: Final = frozenset(
    {
        events.CIRCUIT_REJECTED,
        events.CIRCUIT_TRANSITION,
        events.FALLBACK_SERVED,
        events.HEDGE,
        events.POOL_TIMEOUT,
        events.RATE_LIMITED,
        events.RATE_LIMIT_OPEN,
        events.RETRY,
        events.RETRY_BUDGET_EMPTY,
    }
)


def _attributes(event: events.Event) -> dict[str, str]:
    attributes = {} if event.kind in _UNNAMED else {"resilience.name": event.name}
    for detail, name in _ATTRIBUTES.get(event.kind, {}).items():
        if detail in event.details:
            key = name if "." in name else f"resilience.{name}"
            attributes[key] = str(event.details[detail])
    return attributes
