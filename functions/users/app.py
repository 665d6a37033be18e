"""The Lambda function `users`."""

from studysync.app import create_app, create_handler
from users.routes import router

app = create_app("Users", [router])
handler = create_handler(app)
