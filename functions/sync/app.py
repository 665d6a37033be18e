"""The Lambda function `sync`, including its schedule."""

from studysync.aws.handler import create_handler
from studysync.web.app import create_app
from sync.routes import router
from sync.service import purge_sync_events

app = create_app("Sync", [router])
handler = create_handler(app, schedules={"purge_sync_events": purge_sync_events})
