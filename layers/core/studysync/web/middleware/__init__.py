"""Pure ASGI middleware, outside in: request context, compression, errors, request validation, rate limit."""

from studysync.web.middleware.compression import CompressionMiddleware
from studysync.web.middleware.error_handler import ErrorHandlerMiddleware
from studysync.web.middleware.rate_limit import RateLimitMiddleware
from studysync.web.middleware.request_context import RequestContextMiddleware
from studysync.web.middleware.request_validation import RequestValidationMiddleware

__all__ = [
    "CompressionMiddleware",
    "ErrorHandlerMiddleware",
    "RateLimitMiddleware",
    "RequestContextMiddleware",
    "RequestValidationMiddleware",
]
