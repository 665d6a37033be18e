"""Health of the service, the OpenAPI document, and the answer to paths that no other function has."""

import studysync  # noqa: F401 - first of all: it decides how a process starts
