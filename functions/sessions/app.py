"""The Lambda function `sessions`, also what its schedule calls."""

from sessions.routes import router
from sessions.service import close_silent_sessions
from studysync.app import create_app, create_handler

app = create_app("Sessions", [router])
handler = create_handler(app, schedules={"close_silent_sessions": close_silent_sessions})
