"""Answers to operators (docs/contract.md: "Health and operations"). In milliseconds unless named otherwise."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from studysync.fields import UtcDatetime

Status = Literal["pass", "warn", "fail"]
CircuitStateName = Literal["closed", "open", "half_open"]


class Check(BaseModel):
    """One check."""

    status: Status
    latency_ms: float
    message: str | None


class Dependencies(BaseModel):
    """The dependencies of the service."""

    status: Status
    checks: dict[str, Check]
    checked_at: UtcDatetime


class CircuitChange(BaseModel):
    """One change of a circuit."""

    at: UtcDatetime
    state: CircuitStateName
    reason: str


class Circuit(BaseModel):
    """The state of a circuit in the fleet."""

    name: str
    state: CircuitStateName
    reason: str
    opens: int = Field(description="How often it opened without closing in between.")
    retry_after_seconds: float
    forced: bool = Field(description="Opened manually, until it is reset.")
    since: UtcDatetime | None = Field(description="When it left the closed state, in which it has not been since.")
    history: list[CircuitChange] = Field(
        description="Its last changes, oldest first; a current outage from its beginning."
    )
    history_complete: bool = Field(description="False if there may have been earlier changes.")


class Circuits(BaseModel):
    """All circuits."""

    complete: bool = Field(description="False if DynamoDB does not answer; then this covers only one environment.")
    circuits: list[Circuit]


class Usage(BaseModel):
    """Use of memory or disk."""

    used_mb: float
    total_mb: float
    percent: float


class Processor(BaseModel):
    """Use of the processors."""

    percent: float
    count: int


class System(BaseModel):
    """The execution environment that answered."""

    memory: Usage
    disk: Usage
    cpu: Processor


class Detailed(Dependencies):
    """The results of all checks. `warn` means degraded, but still serving."""

    version: str
    function_version: str
    stage: str
    uptime_seconds: float
    system: System
    circuits: list[Circuit]


class Endpoint(BaseModel):
    """An endpoint, or a kind of call to a dependency, over the window."""

    name: str
    requests: int
    errors: int
    error_rate: float
    average_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    slow: int = Field(description="The number of requests over a second.")


class Minute(BaseModel):
    """All endpoints in one minute (or ten, see `step_minutes`), except health's own."""

    at: UtcDatetime
    requests: int
    errors: int
    average_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class CacheFigures(BaseModel):
    """The caches of all environments combined, since each started."""

    hit_rate: float
    hits: int
    misses: int
    stale: int
    entries: int
    memory_bytes: int
    evictions: int
    environments: int


class PoolFigures(BaseModel):
    """The connection pools of all environments combined."""

    active: int
    limit: int
    utilisation: float
    waiting: int
    average_wait_ms: float
    longest_wait_ms: float
    timeouts: int
    environments: int


class Mark(BaseModel):
    """A deployment or an operator's action, for charts."""

    at: UtcDatetime
    kind: Literal["deployment", "order"]
    text: str = Field(description="The functions and versions, or the action.")
    who: str | None = Field(description="The operator who requested the action.")


class Metrics(BaseModel):
    """The metrics of the fleet."""

    window_minutes: int
    step_minutes: int = Field(description="The length of each entry of `minutes`: 10 in windows over an hour.")
    environments: int = Field(description="At most those of the last hour.")
    complete: bool = Field(description="False if DynamoDB does not answer; then this covers only one environment.")
    endpoints: list[Endpoint]
    dependencies: list[Endpoint]
    minutes: list[Minute]
    marks: list[Mark] = Field(description="Deployments and operators' actions in this window, oldest first.")
    cache: CacheFigures
    pool: PoolFigures
    circuits: list[Circuit]


class Environment(BaseModel):
    """An execution environment: a running copy of a function."""

    id: str
    service: str = Field(description="Its function: `users`, `sessions` and so on.")
    version: str
    last_seen: UtcDatetime = Field(description="The minute of its last call.")
    requests: int
    errors: int
    average_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    connections: int = Field(description="Database connections in use when it last wrote its metrics.")
    waiting: int
    cache_entries: int


class Environments(BaseModel):
    """The execution environments of the last 15 minutes, busiest first."""

    window_minutes: int
    complete: bool = Field(description="False if DynamoDB does not answer; then this covers only one environment.")
    environments: list[Environment]


class Alarm(BaseModel):
    """An alarm of the stack."""

    name: str
    state: Literal["ALARM", "INSUFFICIENT_DATA", "OK"]
    since: UtcDatetime
    description: str


class Alarms(BaseModel):
    """The stack's alarms, raised ones first."""

    available: bool = Field(description="False if CloudWatch is not available, as on the local stack.")
    alarms: list[Alarm]


class SlowRequest(BaseModel):
    """A request over the threshold."""

    name: str
    seconds: float
    at: UtcDatetime
    failed: bool
    request_id: str
    log_url: str | None = Field(description="A query of Logs Insights for its lines; null on the local stack.")


class SlowRequests(BaseModel):
    """The slowest requests of a window, slowest first, except health's own."""

    window_minutes: int
    threshold_seconds: float
    recorded_from_seconds: float = Field(description="Faster requests are never listed, whatever the threshold.")
    complete: bool
    requests: list[SlowRequest]


class SeenError(BaseModel):
    """One kind of error."""

    consequence: bool = Field(description="A consequence of a known outage; look at the other errors first.")

    fingerprint: str
    error_type: str
    message: str = Field(description="The message without numbers and ids; never an exception's own text.")
    where: str
    count: int
    first_seen: UtcDatetime
    last_seen: UtcDatetime
    request_id: str = Field(description="The id of the last request with this error, to find it in the logs.")
    log_url: str | None = Field(description="A query of Logs Insights for its lines; null on the local stack.")


class Errors(BaseModel):
    """The errors of the last 24 hours: causes before consequences, the most frequent first."""

    complete: bool
    log: str = Field(description="Where to look for a request id: a Logs Insights query, or a file on the local stack.")
    total_errors: int
    unique_errors: int
    errors_by_type: dict[str, int]
    errors: list[SeenError]


class SwitchesInEffect(BaseModel):
    """The switches: values that apply without a deployment."""

    available: bool = Field(description="False where AWS AppConfig is not available; then nothing can be changed.")
    changed: list[str] = Field(description="The names of those that operators have set.")
    read_only: bool = Field(description="Writes get a 503, except signing in; schedules that write do nothing.")
    suspicion_mode: Literal["soft", "strict"]
    rate_limit_per_minute: int
    rate_limit_per_hour: int
    closed_routes: list[str] = Field(
        examples=[["POST /api/spaces/create"]], description="Routes that get a 503, as method and path."
    )


class ActionDone(BaseModel):
    """An operator's action. Busy environments apply it within five seconds, idle ones with their second request."""

    done: Literal[True] = True
