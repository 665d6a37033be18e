"""Pure ASGI middleware, outside in: request context, compression, errors, request validation, switches, rate limit."""

from studysync.web.middleware.compression import CompressionMiddleware
from studysync.web.middleware.error_handler import ErrorHandlerMiddleware
from studysync.web.middleware.rate_limit import RateLimitMiddleware
from studysync.web.middleware.request_context import RequestContextMiddleware
from studysync.web.middleware.request_validation import RequestValidationMiddleware
from studysync.web.middleware.switches import SwitchesMiddleware

__all__ = [
    "CompressionMiddleware",
    "ErrorHandlerMiddleware",
    "RateLimitMiddleware",
    "RequestContextMiddleware",
    "RequestValidationMiddleware",
    "SwitchesMiddleware",
]
