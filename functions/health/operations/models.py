"""What operators are shown (docs/contract.md: "Health and operations"). Times in milliseconds unless named otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

Status = Literal["pass", "warn", "fail"]
CircuitStateName = Literal["closed", "open", "half_open"]


class Check(BaseModel):
    """One check."""

    status: Status
    latency_ms: float
    message: str | None


class Dependencies(BaseModel):
    """What the service stands on."""

    status: Status
    checks: dict[str, Check]
    checked_at: datetime


class CircuitChange(BaseModel):
    """One change of a circuit."""

    at: datetime
    state: CircuitStateName
    reason: str


class Circuit(BaseModel):
    """A circuit as the fleet knows it."""

    name: str
    state: CircuitStateName
    reason: str
    opens: int = Field(description="How often it opened without closing between.")
    retry_after_seconds: float
    forced: bool = Field(description="Opened by hand, until it is reset.")
    since: datetime | None = Field(description="When it left the closed state, in which it has not been since.")
    history: list[CircuitChange] = Field(
        description="Its last changes, oldest first; an outage that lasts is told from its beginning."
    )
    history_complete: bool = Field(description="False: there may have been changes before those.")


class Circuits(BaseModel):
    """All circuits."""

    complete: bool = Field(description="False: DynamoDB does not answer, and this is what one environment knows.")
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
    """Everything that was checked; `warn`: degraded, and still serving."""

    version: str
    function_version: str
    stage: str
    uptime_seconds: float
    system: System
    circuits: list[Circuit]


class Endpoint(BaseModel):
    """One endpoint, or one kind of call to a dependency, over the window."""

    name: str
    requests: int
    errors: int
    error_rate: float
    average_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    slow: int = Field(description="Of them, those over a second.")


class Minute(BaseModel):
    """All endpoints of one minute, health's own left out."""

    at: datetime
    requests: int
    errors: int
    average_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class CacheFigures(BaseModel):
    """The caches of all environments together, since each began."""

    hit_rate: float
    hits: int
    misses: int
    stale: int
    entries: int
    memory_bytes: int
    evictions: int
    environments: int


class PoolFigures(BaseModel):
    """The connection pools of all environments together."""

    active: int
    limit: int
    utilisation: float
    waiting: int
    average_wait_ms: float
    longest_wait_ms: float
    timeouts: int
    environments: int


class Metrics(BaseModel):
    """What the fleet measured."""

    window_minutes: int
    environments: int
    complete: bool = Field(description="False: DynamoDB does not answer, and this is what one environment knows.")
    endpoints: list[Endpoint]
    dependencies: list[Endpoint]
    minutes: list[Minute]
    cache: CacheFigures
    pool: PoolFigures
    circuits: list[Circuit]


class SlowRequest(BaseModel):
    """A request over the threshold."""

    name: str
    seconds: float
    at: datetime
    failed: bool


class SlowRequests(BaseModel):
    """The slowest requests of the last quarter of an hour, slowest first."""

    threshold_seconds: float
    recorded_from_seconds: float = Field(description="Faster ones are never listed, whatever the threshold.")
    complete: bool
    requests: list[SlowRequest]


class SeenError(BaseModel):
    """One kind of error."""

    consequence: bool = Field(description="It only says that something is known to be down; look at the others first.")

    fingerprint: str
    error_type: str
    message: str = Field(description="Without the numbers and ids in it; never an exception's own text.")
    where: str
    count: int
    first_seen: datetime
    last_seen: datetime
    request_id: str = Field(description="Of the last one, to find it in the logs.")


class Errors(BaseModel):
    """The errors of the last 24 hours: causes before consequences, the most frequent first."""

    complete: bool
    log: str = Field(description="Where to look for a request id: a query for Logs Insights, locally a file.")
    total_errors: int
    unique_errors: int
    errors_by_type: dict[str, int]
    errors: list[SeenError]


class Done(BaseModel):
    """An operator's action. Busy environments follow within five seconds, idle ones with their second request."""

    done: Literal[True] = True
