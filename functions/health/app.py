"""The Lambda function `health`."""

from health.routes import router
from studysync.app import create_app, create_handler

app = create_app("Health", [router])
handler = create_handler(app)
