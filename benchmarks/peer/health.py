"""The peer's health routes."""

import os
import resource
import shutil
import time
from pathlib import Path
from typing import Annotated, Any

from boto3.dynamodb.conditions import Key
from fastapi import Depends, HTTPException, Query
from fastapi.responses import FileResponse
from fastapi.security import HTTPAuthorizationCredentials
from peer.common import Answer, bearer, call, create_app, create_handler, table

app = create_app("Health")


def operator(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> None:
    """Require the operator token."""
    if credentials.credentials != os.environ.get("OPERATOR_TOKEN"):
        raise HTTPException(403, "This is for operators.")


Operator = [Depends(operator)]


def items(kind: str) -> list[dict[str, Any]]:
    """Return the items of a kind from the DynamoDB table."""
    found: list[dict[str, Any]] = table.query(KeyConditionExpression=Key("pk").eq(f"peer#{kind}"))["Items"]
    return found


def order(kind: str, name: str, **fields: Any) -> Answer:
    """Write a command for all execution environments to DynamoDB."""
    table.put_item(Item={"pk": f"peer#{kind}", "sk": name, "at": int(time.time()), **fields})
    return Answer(data={"status": "ok"})


def timed(check: Any) -> dict[str, Any]:
    """Run a check; return its status, and its latency in milliseconds."""
    started = time.perf_counter()
    try:
        check()
        status = "pass"
    except Exception:  # noqa: BLE001
        status = "fail"
    return {"status": status, "latency_ms": (time.perf_counter() - started) * 1000}


def database() -> None:
    """Ping the database."""
    call("ping")


@app.get("/health")
def health() -> Answer:
    """Report that the service is up."""
    return Answer(data={"status": "healthy"})


@app.get("/health/liveness")
def liveness() -> Answer:
    """Report that the process is alive."""
    return Answer(data={"status": "alive"})


@app.get("/health/readiness")
def readiness() -> Answer:
    """Report that the database answers."""
    call("ping")
    return Answer(data={"status": "ready"})


@app.get("/health/dependencies", dependencies=Operator)
def dependencies() -> Answer:
    """Check the dependencies."""
    return Answer(data={"database": timed(database), "dynamodb": timed(lambda: items("metrics"))})


@app.get("/health/detailed", dependencies=Operator)
def detailed() -> Answer:
    """Check the dependencies, memory, disk, load and circuits."""
    disk = shutil.disk_usage("/tmp")
    return Answer(
        data={
            "database": timed(database),
            "dynamodb": timed(lambda: items("metrics")),
            "memory_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "disk_percent": 100 * disk.used / disk.total,
            "load": os.getloadavg()[0],
            "circuits": items("circuits"),
        }
    )


@app.get("/health/metrics", dependencies=Operator)
def fleet(minutes: int = Query(15, ge=1, le=60)) -> Answer:
    """Return the metrics of the last minutes."""
    return Answer(data=[each for each in items("metrics") if each["at"] > time.time() - 60 * minutes])


@app.get("/health/slow-requests", dependencies=Operator)
def slow_requests(threshold: float = Query(1.0, ge=0, le=60)) -> Answer:
    """List slow requests."""
    return Answer(data=[each for each in items("slow") if each["seconds"] >= threshold])


@app.get("/health/errors", dependencies=Operator)
def errors(limit: int = Query(20, ge=1, le=100)) -> Answer:
    """List errors."""
    return Answer(data=sorted(items("errors"), key=lambda each: -each["count"])[:limit])


@app.get("/health/circuits", dependencies=Operator)
def circuits() -> Answer:
    """List circuits."""
    return Answer(data=items("circuits"))


@app.post("/health/circuits/{name}/reset", dependencies=Operator)
def reset_circuit(name: str) -> Answer:
    """Close a circuit."""
    return order("circuits", name, state="closed")


@app.post("/health/circuits/{name}/open", dependencies=Operator)
def open_circuit(name: str, seconds: int | None = Query(None, gt=0, le=86_400)) -> Answer:
    """Open a circuit."""
    return order("circuits", name, state="open", seconds=seconds)


@app.post("/health/clear-cache", dependencies=Operator)
def clear_cache() -> Answer:
    """Clear the caches."""
    return order("control", "clear-cache")


@app.post("/health/reset-metrics", dependencies=Operator)
def reset_metrics() -> Answer:
    """Reset the metrics."""
    return order("control", "reset-metrics")


@app.post("/health/clear-errors", dependencies=Operator)
def clear_errors() -> Answer:
    """Clear the recorded errors."""
    return order("control", "clear-errors")


@app.get("/api/openapi.json")
def openapi() -> FileResponse:
    """Return the OpenAPI document."""
    return FileResponse(Path(__file__).with_name("openapi.json"))


@app.get("/api/docs")
def docs() -> FileResponse:
    """Return the API documentation page."""
    return FileResponse(Path(__file__).with_name("docs.html"))


@app.get("/health/dashboard")
def dashboard() -> FileResponse:
    """Return the dashboard page."""
    return FileResponse(Path(__file__).with_name("dashboard.html"))


handler = create_handler(app)
