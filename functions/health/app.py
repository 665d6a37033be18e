"""The Lambda function `health`, also what its schedules call."""

from health.checks import register
from health.routes import operations, router
from health.service import check_invariants, purge_trails
from studysync.app import create_app, create_handler

register()
app = create_app("Health", [router, operations])
handler = create_handler(app, schedules={"check_invariants": check_invariants, "purge_trails": purge_trails})
