"""A small project whose functions misbehave in every way, and a gateway that runs it in this process."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from local.gateway.app import Gateway
from local.listen import Server, take_port
from local.runtime.fleet import Fleet
from local.runtime.pool import Limits
from local.stack_directory import StackDirectory
from local.template import Template
from local.watch import watch_code

T = TypeVar("T")

TEMPLATE = """
Globals:
  Function:
    CodeUri: code/
    Timeout: 10
    MemorySize: 256
    Layers: [!Ref Layer]
    Environment: {Variables: {GREETING: hello, PYTHONDONTWRITEBYTECODE: "1"}}
  HttpApi:
    CorsConfiguration: {AllowOrigins: ["https://a.example"], AllowMethods: [GET], ExposeHeaders: [age]}
Resources:
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer}}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Handler: echo.app.handler
      Events:
        Echo: {Type: HttpApi, Properties: {Path: "/echo/{proxy+}", Method: ANY}}
        Schedule: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute)}}
  Odd:
    Type: AWS::Serverless::Function
    Properties:
      Handler: odd.app.handler
      Timeout: 1
      Events: {Odd: {Type: HttpApi, Properties: {Path: "/odd/{what}", Method: GET}}}
  Meet:
    Type: AWS::Serverless::Function
    Properties:
      Handler: odd.app.meet
      Events: {Meet: {Type: HttpApi, Properties: {Path: /meet, Method: GET}}}
  Edited:
    Type: AWS::Serverless::Function
    Properties:
      Handler: edited.app.handler
      Events: {Edited: {Type: HttpApi, Properties: {Path: /edited, Method: GET}}}
"""

ECHO = """
import base64, json, os
def handler(event, context):
    event["remaining"] = context.get_remaining_time_in_millis()
    event["memory"] = context.memory_limit_in_mb
    event["environment"] = dict(os.environ)
    headers = {"content-type": "application/json"}
    return {"statusCode": 200, "headers": headers, "cookies": ["a=1", "b=2"], "body": json.dumps(event)}
"""

ODD = """
import base64, os, signal, sys, time
def handler(event, context):
    what = (event.get("pathParameters") or {}).get("what")
    if what == "raise":
        raise RuntimeError("on purpose")
    if what == "exit":
        sys.exit(3)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "sleep":
        time.sleep(5)
    if what == "binary":
        return {"statusCode": 200, "isBase64Encoded": True, "body": base64.b64encode(bytes(range(256))).decode()}
    if what == "large":
        return {"statusCode": 200, "body": "x" * (6 * 1024 * 1024 + 200)}
    if what == "shape":
        return {"statusCode": "what"}
    if what == "pid":
        return {"pid": os.getpid()}
    if what == "loud":
        print("[ERROR] somebody should look")
        print("all quiet")
    return {"fine": True}

def meet(event, context):
    # Comes back only when four are here at once.
    folder = os.environ["MEETING"]
    open(os.path.join(folder, str(os.getpid())), "w").close()
    while len(os.listdir(folder)) < 4:
        time.sleep(0.005)
    return {"pid": os.getpid()}
"""

EDITED = "from shared import TEXT\ndef handler(event, context):\n    return TEXT\n"


def write_project(root: Path) -> Path:
    """Write the project's files; returns the path of its template."""
    for name, source in (("echo", ECHO), ("odd", ODD), ("edited", EDITED)):
        (root / "code" / name).mkdir(parents=True)
        (root / "code" / name / "app.py").write_text(source)
    (root / "layer").mkdir()
    (root / "layer" / "shared.py").write_text("TEXT = 'first'\n")
    template = root / "template.yaml"
    template.write_text(TEMPLATE)
    return template


class Running:
    """The project behind a gateway, in its own thread."""

    def __init__(self, root: Path, *, limits: Limits | None = None) -> None:
        self.root = root
        self.meeting = root / "meeting"
        self.meeting.mkdir()
        self.shown: list[str] = []
        self._template = Template.load(write_project(root))
        self._home = StackDirectory(root / "home")
        self._home.make()
        self._limits = limits or Limits(most=4)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        self.client = httpx.Client(base_url=f"http://localhost:{self.port}", timeout=40)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the gateway's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(40)

    def log(self, function: str) -> str:
        """The contents of a function's log."""
        return (self._home.logs / f"{function}.log").read_text()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        backends = {"MEETING": str(self.meeting)}
        self.fleet = Fleet(self._template, self._home, backends=backends, limits=self._limits, show=self.shown.append)
        sockets = take_port(0)
        self.port = sockets[0].getsockname()[1]
        self.gateway = Gateway(self._template, self.fleet, port=self.port, access_log=lambda _: None)
        server = Server(self.gateway)
        await server.begin(sockets)
        watching = asyncio.create_task(watch_code(self._template, self._changed, self._stop))
        self.fleet.warm_up()
        self._ready.set()
        await self._stop.wait()
        await watching
        await server.finish()
        await self.fleet.close()

    def _changed(self, paths: set[Path]) -> None:
        self.fleet.changed(paths)
