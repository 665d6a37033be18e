"""Health of the service, the OpenAPI document, and the answer to paths that no other function has."""
