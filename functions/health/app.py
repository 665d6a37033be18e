"""The Lambda function `health`, including its schedules."""

from health.operations.schedules import check_invariants, purge_trails, roll_up_metrics
from health.routes import router
from studysync.aws import snapstart
from studysync.aws.handler import create_handler
from studysync.web.app import create_app
from studysync.web.routing import LazyRoutes

OPERATIONS = "health.operations.routes"  # loaded later: probes need not wait for what only operators use
snapstart.preload(OPERATIONS)
app = create_app("Health", [router], LazyRoutes(OPERATIONS, prefix="/health/"))
handler = create_handler(
    app,
    schedules={
        "check_invariants": check_invariants,
        "purge_trails": purge_trails,
        "roll_up_metrics": roll_up_metrics,
    },
    in_read_only={"roll_up_metrics"},  # it writes to DynamoDB alone
)
