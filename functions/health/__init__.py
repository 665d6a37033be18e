"""Health of the service, the OpenAPI document, and the response to unknown paths."""

import studysync  # noqa: F401 - must be imported first, because it configures the process
