"""Users: registration, sign-in and profiles."""
