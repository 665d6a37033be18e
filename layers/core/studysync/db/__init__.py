"""The database: calls over PostgREST, its errors, and the HTTP connections."""
