"""The Lambda function `spaces`."""

from spaces.routes import router
from studysync.app import create_app, create_handler

app = create_app("Spaces", [router])
handler = create_handler(app)
