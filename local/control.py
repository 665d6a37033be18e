"""The stack's control endpoint on a separate port: Lambda's Invoke API, and the pids of the running sandboxes.

POST /2015-03-31/functions/<LogicalId>/invocations     the event as body; errors marked by X-Amz-Function-Error
GET  /functions                                        {"<LogicalId>": [pid, ...]}
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.gateway.events import new_trace_id
from local.runtime.fleet import Fleet
from local.runtime.invocation import Failure
from local.web_pages import OwnHostsOnly


def create_control(fleet: Fleet) -> OwnHostsOnly:
    """The ASGI application; it rejects requests from web pages."""

    async def invoke(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in fleet:
            return JSONResponse({"Type": "User", "Message": f"Function not found: {name}"}, status_code=404)
        outcome = await fleet.invoke(name, await request.body() or b"{}", trace_id=new_trace_id())
        if outcome.failure is Failure.CAPACITY:
            return JSONResponse({"Type": "User", "Message": "Rate Exceeded."}, status_code=429)
        headers = {"X-Amz-Function-Error": "Unhandled"} if outcome.failure else {}
        return Response(outcome.payload, media_type="application/json", headers=headers)

    async def functions(_: Request) -> Response:
        return JSONResponse(fleet.pids)

    routes = [
        Route("/2015-03-31/functions/{name}/invocations", invoke, methods=["POST"]),
        Route("/functions", functions),
    ]
    return OwnHostsOnly(Starlette(routes=routes), pages=False)
