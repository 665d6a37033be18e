"""Deploys a build to an AWS emulator, tests it, switches, changes a parameter, deploys another build, and rolls back.

`python -m tools.deploy_test EMULATOR`, where EMULATOR is the program `ministack`. Database, PostgREST and Supabase Auth
are those of the local stack. The emulator does not support routes in an HTTP API's body, so requests reach the
functions' aliases through the local stack's gateway, with the routes of the translated template. `NOT_EMULATED` lists
its other limits.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import httpx
import uvicorn
from botocore.config import Config
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local.backends import Backends
from local.gateway.app import Gateway
from local.intrinsics import read_template
from local.runtime.invocation import Failure, Outcome
from local.template import Cors, Route, Template
from tools.emulator import free_port, running_emulator
from tools.package import LAYERS, OUTPUT, ROOT, build, host, stamped

STACK, BUCKET, SECRET = "studysync-dev", "builds", "studysync/dev/supabase"
NOT_EMULATED = (
    "routes, CORS, throttles and access logs of the HTTP API",
    "snapshots, the walk before traffic and the canary: CodeDeploy moves nothing, aliases move at once",
    "composite alarms, and alarms over more than one metric",
    "alarms, the budget, the encryption of the topic, IAM: everything is allowed",
)
UNKNOWN_TYPES = ("AWS::CloudWatch::CompositeAlarm", "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup")
"""Resource types that make the emulator reject a template, and that are therefore removed."""
_CONFIG = Config(read_timeout=60, retries={"total_max_attempts": 1})


class Translated:
    """The interface of a template for the gateway, from the output of SAM's translator."""

    def __init__(self, resources: dict[str, Any]) -> None:
        self._paths = resources["Api"]["Properties"]["Body"]["paths"]

    def routes(self) -> list[Route]:
        """Return every route with its alias, by the function's logical id."""
        found = []
        for path, methods in self._paths.items():
            (method,) = methods.values()
            uri = method["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            found.append(Route("ANY", path, uri.partition("functions/${")[2].partition("Aliaslive")[0]))
        return found

    def cors(self) -> Cors:
        """Return the gateway's CORS configuration."""
        return Template.load(ROOT / "template.yaml").cors()

    def stage(self) -> str:
        """Return the only stage."""
        return "$default"

    def base_path(self) -> str:
        """Return none."""
        return ""


def emulable(translated: dict[str, Any]) -> dict[str, Any]:
    """Return the translated template without what the emulator does not support."""
    text = json.dumps(translated).replace("${ServerlessDeploymentApplication}", "application")
    found: dict[str, Any] = json.loads(text)
    resources = found["Resources"].items()
    found["Resources"] = {name: each for name, each in resources if not _is_unknown(each)}
    for each in found["Resources"].values():
        each.pop("UpdatePolicy", None)
    return found


def _is_unknown(resource: dict[str, Any]) -> bool:
    several = resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
    return several or resource["Type"] in UNKNOWN_TYPES


class Emulator:
    """The emulated AWS: its clients, and what is deployed."""

    def __init__(self, url: str) -> None:
        self._url = url

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        return boto3.client(  # type: ignore[call-overload]
            service,
            "eu-central-1",
            endpoint_url=self._url,
            aws_access_key_id="t",
            aws_secret_access_key="t",  # noqa: S106 - the emulator takes any
            config=_CONFIG,
        )

    def upload(self, folder: Path, name: str) -> None:
        """Upload each part of a build to the bucket below `name`."""
        for part in ("Functions", *LAYERS):
            packed = shutil.make_archive(str(folder / f"{part}-packed"), "zip", folder / part)
            self.client("s3").upload_file(packed, BUCKET, f"{name}/{part}")

    def deploy(self, build_name: str, parameters: dict[str, str]) -> dict[str, Any]:
        """Deploy the template for a build; returns the translated resources."""
        document = read_template(stamped((ROOT / "template.yaml").read_text(encoding="utf-8"), build_name))
        for section in (
            document["Globals"]["Function"],
            *(each["Properties"] for each in document["Resources"].values()),
        ):
            if "CodeUri" in section:
                section["CodeUri"] = f"s3://{BUCKET}/one/Functions"
        for layer in LAYERS:
            document["Resources"][layer]["Properties"]["ContentUri"] = f"s3://{BUCKET}/one/{layer}"
        translated = emulable(Translator({}, Parser()).translate(document, parameters))
        key = f"{build_name}.json"
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(translated).encode())
        stacks = self.client("cloudformation")
        change = stacks.update_stack if self._exists(stacks) else stacks.create_stack
        change(
            StackName=STACK,
            TemplateURL=f"{self._url}/{BUCKET}/{key}",
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )
        self._wait(stacks)
        for name in self._functions().values():  # a version takes a few moments to become active
            self.client("lambda").get_waiter("function_active_v2").wait(
                FunctionName=name, Qualifier="live", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )
        resources: dict[str, Any] = translated["Resources"]
        return resources

    def names(self) -> dict[str, str]:
        """Return the physical name of each resource by its logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
        found = [each for page in pages for each in page["StackResourceSummaries"]]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def versions(self) -> dict[str, str]:
        """Return the version that each function's alias points at."""
        lambdas = self.client("lambda")
        return {
            logical: str(lambdas.get_alias(FunctionName=name, Name="live")["FunctionVersion"])
            for logical, name in self._functions().items()
        }

    def _functions(self) -> dict[str, str]:
        return {logical: name for logical, name in self.names().items() if logical.endswith("Function")}

    def _exists(self, stacks: Any) -> bool:
        return any(each["StackName"] == STACK for each in stacks.describe_stacks()["Stacks"])

    def _wait(self, stacks: Any) -> None:
        end = time.monotonic() + 120
        while (status := stacks.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]).endswith("_IN_PROGRESS"):
            if time.monotonic() > end:
                raise TimeoutError(status)
            time.sleep(0.2)
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            events = stacks.describe_stack_events(StackName=STACK)["StackEvents"]
            why = [
                (each["LogicalResourceId"], each.get("ResourceStatusReason"))
                for each in events
                if "FAILED" in each["ResourceStatus"]
            ]
            raise RuntimeError(f"{status}: {why}")


class Aliases:
    """Runs functions through their aliases, for the gateway."""

    def __init__(self, emulator: Emulator) -> None:
        self._lambda, self._names = emulator.client("lambda"), emulator.names()

    async def invoke(self, function: str, payload: bytes, *, trace_id: str) -> Outcome:  # noqa: ARG002 - the gateway's
        """Run a function once."""
        call = {"FunctionName": self._names[function], "Qualifier": "live", "Payload": payload}
        answer = await asyncio.to_thread(lambda: self._lambda.invoke(**call))
        failure = Failure.FUNCTION if answer.get("FunctionError") else None
        return Outcome(answer["Payload"].read(), failure)


def serve(gateway: Gateway, port: int) -> uvicorn.Server:
    """Serve in a thread."""
    server = uvicorn.Server(uvicorn.Config(gateway, "127.0.0.1", port, log_level="warning", lifespan="off"))
    threading.Thread(target=server.run, daemon=True).start()
    return server


def walk(url: str, operator_token: str) -> None:
    """Run the end-to-end tests that a deployed stack allows."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/e2e/test_walk.py",
        "-k",
        "not 2000 and not 50_starts and not guessers",
    ]  # they need speed
    subprocess.run(
        command, cwd=ROOT, env={**os.environ, "E2E_URL": url, "E2E_OPERATOR_TOKEN": operator_token}, check=True
    )


def answers(url: str) -> None:
    """Raise unless a request reaches a function and the database, within half a minute."""
    end = time.monotonic() + 30
    while (answer := httpx.get(f"{url}/health/readiness", timeout=60)).is_error and time.monotonic() < end:
        time.sleep(0.5)
    answer.raise_for_status()


def switch(url: str, operator_token: str) -> None:
    """Raise unless writes stop within a minute of an operator's switch to read-only, and go on after it."""
    operator = {"Authorization": f"Bearer {operator_token}"}
    for read_only in (True, False):
        change = {"reason": "a test", "read_only": read_only}
        httpx.post(f"{url}/health/switches", json=change, headers=operator, timeout=60).raise_for_status()
        end = time.monotonic() + 60
        expected = httpx.codes.SERVICE_UNAVAILABLE if read_only else httpx.codes.BAD_REQUEST
        while httpx.post(f"{url}/api/auth/register", json={}, timeout=60).status_code != expected:
            if time.monotonic() > end:
                raise RuntimeError(f"no function followed the switch to read_only={read_only}")
            time.sleep(1)


def run(emulator: Emulator, supabase_url: str, key: str) -> None:
    """Deploy, test, change, deploy again, roll back."""
    operator_token = secrets.token_hex(32)
    secret = {"secret_key": key, "operator_tokens": {"test": operator_token}}
    emulator.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    emulator.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps(secret))
    folder = OUTPUT / "emulated"
    build(host(), folder)
    emulator.upload(folder, "one")
    parameters = {"Stage": "dev", "SupabaseUrl": supabase_url, "SupabaseSecretName": SECRET}
    resources = emulator.deploy("first", parameters)
    print(f"deployed {len(resources)} resources")
    port = free_port()
    server = serve(Gateway(Translated(resources), Aliases(emulator), port=port, access_log=lambda _line: None), port)  # type: ignore[arg-type]
    url = f"http://localhost:{port}"
    walk(url, operator_token)
    switch(url, operator_token)
    print("switched to read-only and back")
    first = emulator.versions()
    emulator.deploy("first", {**parameters, "LogLevel": "WARNING"})
    answers(url)
    print("changed a parameter")
    emulator.deploy("second", parameters)
    second = emulator.versions()
    if set(first.values()) & set(second.values()) and any(first[name] == second[name] for name in first):
        raise RuntimeError(f"a second build published nothing: {first}, {second}")
    answers(url)
    print("deployed a second build")
    emulator.deploy("first-again", parameters)
    if any(second[name] == version for name, version in emulator.versions().items()):
        raise RuntimeError("going back published nothing")
    answers(url)
    print("went back")
    server.should_exit = True


def main() -> int:
    """Start everything it needs, run it, and stop everything."""
    os.environ["AWS_DEFAULT_REGION"] = "eu-central-1"  # required by SAM's translator
    settings = {"LAMBDA_EXECUTOR": "local", "MINISTACK_REGION": os.environ["AWS_DEFAULT_REGION"]}
    with (
        tempfile.TemporaryDirectory() as home,
        Backends(Path(home), durable=False) as backends,
        running_emulator(Path(home) / "emulator.log", settings, Path(sys.argv[1])) as url,
    ):
        run(Emulator(url), backends.environment["SUPABASE_URL"], backends.environment["SUPABASE_SECRET_KEY"])
    print("not emulated:", *NOT_EMULATED, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
