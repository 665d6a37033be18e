"""GoTrue's errors, in its two response formats."""

from typing import Any

_CODED_SINCE = "2024-01-01"
VERSION_HEADER = "x-supabase-api-version"


class AuthError(Exception):
    """An answer other than success: its HTTP status, GoTrue's code for it and its message."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.extra = status, code, message, extra

    def body(self, api_version: str) -> dict[str, Any]:
        """The answer's body, for the API version that the client asked for in `X-Supabase-Api-Version`."""
        if api_version >= _CODED_SINCE:
            return {"code": self.code, "message": self.message, **self.extra}
        return {"code": self.status, "error_code": self.code, "msg": self.message, **self.extra}


def validation_failed(message: str, status: int = 400) -> AuthError:
    """Something in the request is missing or malformed."""
    return AuthError(status, "validation_failed", message)


def no_authorization() -> AuthError:
    """There is no bearer token."""
    return AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")


def bad_jwt(why: str) -> AuthError:
    """The bearer token is invalid."""
    return AuthError(403, "bad_jwt", why)


def invalid_credentials() -> AuthError:
    """The address or the password is wrong; the response does not reveal which."""
    return AuthError(400, "invalid_credentials", "Invalid login credentials")


def user_not_found(status: int = 404) -> AuthError:
    """No account has that id."""
    return AuthError(status, "user_not_found", "User not found")


def database_error(doing: str) -> AuthError:
    """A database error, most often raised by a trigger on `auth.users`."""
    return AuthError(500, "unexpected_failure", f"Database error {doing}")
