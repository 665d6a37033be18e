"""The Lambda function `gamification`, including its schedule."""

from gamification.routes import router
from gamification.service import backfill_badges
from studysync.aws.handler import create_handler
from studysync.web.app import create_app

app = create_app("Gamification", [router])
handler = create_handler(app, schedules={"backfill_badges": backfill_badges})
