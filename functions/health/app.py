"""The Lambda function `health`, including its schedules."""

from health.operations.schedules import check_invariants, purge_trails, roll_up_metrics
from health.routes import router
from studysync.aws.handler import create_handler
from studysync.web.app import create_app
from studysync.web.routing import LazyRoutes

# Without a snapshot, probes need not wait for what only operators use: a tenth of this function's cold start.
app = create_app("Health", [router], LazyRoutes("health.operations.routes", prefix="/health/"))
handler = create_handler(
    app,
    schedules={
        "check_invariants": check_invariants,
        "purge_trails": purge_trails,
        "roll_up_metrics": roll_up_metrics,
    },
    in_read_only={"roll_up_metrics"},  # it writes to DynamoDB alone
)
