"""Code shared by the peer's functions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Annotated, Any

import boto3
import jwt
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from mangum import Mangum
from pydantic import BaseModel

from supabase import Client, create_client

logger = Logger()
metrics = Metrics(namespace="Peer")
table = boto3.resource("dynamodb").Table(os.environ["RESILIENCE_TABLE"])
supabase: Client = create_client(os.environ["SUPABASE_URL"], os.environ["SUPABASE_SECRET_KEY"])
jwks = jwt.PyJWKClient(f"{os.environ['SUPABASE_URL']}/auth/v1/.well-known/jwks.json")
bearer = HTTPBearer()


class Body(BaseModel):
    """A request body."""


class Answer(BaseModel):
    """A response body."""

    success: bool = True
    data: Any
    next_cursor: str | None = None


def current_user(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
    """Return the caller's id from the access token."""
    token = credentials.credentials
    try:
        key = jwks.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key.key, algorithms=["ES256", "RS256"], audience="authenticated")
    except jwt.PyJWTError as error:
        raise HTTPException(401, "The access token is not valid.") from error
    return str(claims["sub"])


User = Annotated[str, Depends(current_user)]


def call(function: str, **arguments: Any) -> Any:
    """Call a SQL function."""
    return supabase.rpc(function, arguments).execute().data


def write(operation: str, user_id: str, body: Body | None = None, **arguments: Any) -> Answer:
    """Call a SQL function that writes."""
    sent = body.model_dump(mode="json", exclude_unset=True) if body else {}
    return Answer(data=call(operation, p_user_id=user_id, p_args={**sent, **arguments}))


async def count_request(request: Request, call_next: Callable[[Request], Any]) -> Any:
    """Count the request in DynamoDB, and record its log line and metrics."""
    started = time.perf_counter()
    window = int(time.time() // 60)
    counted = table.update_item(
        Key={"pk": f"peer#{request.client.host if request.client else ''}", "sk": str(window)},
        UpdateExpression="ADD calls :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    if counted["Attributes"]["calls"] > 1_000_000:
        raise HTTPException(429)
    response = await call_next(request)
    logger.info("request", extra={"path": request.url.path, "status": response.status_code})
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    metrics.add_metric("Duration", MetricUnit.Milliseconds, (time.perf_counter() - started) * 1000)
    return response


def create_app(title: str) -> FastAPI:
    """Return an app with CORS and request counting."""
    app = FastAPI(title=title)
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    app.middleware("http")(count_request)
    return app


def create_handler(app: FastAPI) -> Any:
    """Return a Lambda handler for the app."""
    handler: Any = logger.inject_lambda_context(Mangum(app, lifespan="off"), clear_state=True)
    return metrics.log_metrics(handler, capture_cold_start_metric=True)
