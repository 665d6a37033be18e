"""The Lambda function `users`."""

from studysync.aws import snapstart
from studysync.aws.handler import create_handler
from studysync.web.app import create_app
from users.routes import router

snapstart.preload("users.auth")
app = create_app("Users", [router])
handler = create_handler(app)
