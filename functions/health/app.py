"""The Lambda function `health`, also what its schedules call."""

from health.checks import register
from health.routes import router
from health.service import check_invariants, purge_trails
from studysync import snapshot
from studysync.app import create_app, create_handler
from studysync.routing import LateRoutes

register()
snapshot.loads("health.operations")  # elsewhere probes do not wait for what only operators ask for
app = create_app("Health", [router], LateRoutes("health.operations", prefix="/health/"))
handler = create_handler(app, schedules={"check_invariants": check_invariants, "purge_trails": purge_trails})
