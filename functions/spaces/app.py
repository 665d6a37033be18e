"""The Lambda function `spaces`."""

from spaces.routes import router
from studysync.aws.handler import create_handler
from studysync.web.app import create_app

app = create_app("Spaces", [router])
handler = create_handler(app)
