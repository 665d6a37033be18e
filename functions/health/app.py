"""The Lambda function `health`, including its schedules."""

from health import routes
from health.operations import routes as operations
from health.operations.schedules import check_invariants, purge_trails, roll_up_metrics
from studysync.aws.handler import create_handler
from studysync.web.app import create_app

app = create_app("Health", [routes.router, operations.router])
handler = create_handler(
    app,
    schedules={
        "check_invariants": check_invariants,
        "purge_trails": purge_trails,
        "roll_up_metrics": roll_up_metrics,
    },
    in_read_only={"roll_up_metrics"},  # it writes to DynamoDB alone
)
