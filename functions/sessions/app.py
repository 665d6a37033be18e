"""The Lambda function `sessions`, including its schedule."""

from sessions.routes import router
from sessions.service import close_silent_sessions
from studysync.aws.handler import create_handler
from studysync.web.app import create_app

app = create_app("Sessions", [router])
handler = create_handler(app, schedules={"close_silent_sessions": close_silent_sessions})
