"""Users: registration, sign-in and profiles."""

import studysync  # noqa: F401 - must be imported first, because it configures the process
