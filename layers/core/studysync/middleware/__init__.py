"""Pure ASGI middleware, outside in: request context, errors, request validation, rate limit."""

from studysync.middleware.error_handler import ErrorHandlerMiddleware
from studysync.middleware.rate_limit import RateLimitMiddleware
from studysync.middleware.request_context import RequestContextMiddleware
from studysync.middleware.request_validation import RequestValidationMiddleware

__all__ = [
    "ErrorHandlerMiddleware",
    "RateLimitMiddleware",
    "RequestContextMiddleware",
    "RequestValidationMiddleware",
]
