"""The Lambda function `users`."""

from studysync import snapshot
from studysync.app import create_app, create_handler
from users.routes import router

snapshot.loads("users.auth")
app = create_app("Users", [router])
handler = create_handler(app)
