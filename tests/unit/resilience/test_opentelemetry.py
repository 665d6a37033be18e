"""Events as OpenTelemetry metrics and span events, with the real SDK."""

from __future__ import annotations

from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.metrics import export as readers

import resilience
from resilience import CircuitBreaker, cached, with_fallback
from resilience.opentelemetry import instrument
from resilience.testing import ManualClock


def test_events_become_metrics_and_span_events(clock: ManualClock) -> None:
    """A circuit that opens is counted, shown by a gauge and added to the span; cache keys are left out."""
    reader = readers.InMemoryMetricReader()
    stop = instrument(meter_provider=sdk_metrics.MeterProvider([reader]))
    resilience.fallback_handler.register_fallback("spare", 7)
    breaker = CircuitBreaker("payments", failure_threshold=1, clock=clock)

    @with_fallback("spare")
    @breaker
    def down() -> int:
        raise ConnectionError

    with sdk_trace.TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        assert down() == 7
    cached(60, key_prefix="opentelemetry")(lambda user: user)("alice")
    stop()
    assert down() == 7  # no longer counted
    points = {
        metric.name: metric.data.data_points
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    (changed,) = points["resilience.circuit_transition"]
    assert changed.value == 1
    assert dict(changed.attributes) == {
        "resilience.name": "payments",
        "resilience.from": "closed",
        "resilience.to": "open",
        "resilience.reason": "failures",
    }
    assert points["resilience.circuit.state"][0].value == 2
    assert dict(points["resilience.fallback_served"][0].attributes) == {
        "resilience.name": "spare",
        "error.type": "ConnectionError",
    }
    assert dict(points["resilience.cache_miss"][0].attributes) == {}
    assert [event.name for event in span.events] == ["resilience.circuit_transition", "resilience.fallback_served"]
