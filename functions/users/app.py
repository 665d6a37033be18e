"""The Lambda function `users`."""

from studysync.aws.handler import create_handler
from studysync.web.app import create_app
from users import account_routes, routes

app = create_app("Users", [account_routes.router, routes.router])
handler = create_handler(app)
