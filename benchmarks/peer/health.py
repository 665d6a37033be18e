"""The peer's health routes."""

from pathlib import Path

from fastapi.responses import FileResponse
from peer.common import Answer, call, create_app, create_handler

app = create_app("Health")


@app.get("/health")
def health() -> Answer:
    """Tell that the service is there."""
    return Answer(data={"status": "healthy"})


@app.get("/health/liveness")
def liveness() -> Answer:
    """Tell that the process is alive."""
    return Answer(data={"status": "alive"})


@app.get("/health/readiness")
def readiness() -> Answer:
    """Tell that the database answers."""
    call("ping")
    return Answer(data={"status": "ready"})


@app.get("/api/openapi.json")
def openapi() -> FileResponse:
    """Return the document."""
    return FileResponse(Path(__file__).with_name("openapi.json"))


handler = create_handler(app)
