"""The Lambda function `gamification`, also what its schedule calls."""

from gamification.routes import router
from gamification.service import backfill_badges
from studysync.app import create_app, create_handler

app = create_app("Gamification", [router])
handler = create_handler(app, schedules={"backfill_badges": backfill_badges})
