"""AppConfig, in an AWS emulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.backends import Backends
from studysync import aws_clients
from testing.switches import deploy_switches, forget_settings
from tools.emulator import running_emulator


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator's URL."""
    with running_emulator(tmp_path_factory.mktemp("aws") / "emulator.log", {"MINISTACK_REGION": "us-east-1"}) as url:
        yield url


@pytest.fixture
def appconfig(aws: str, backends: Backends, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """AppConfig's client, in an environment as the template makes it."""
    monkeypatch.setattr(aws_clients, "_clients", {})
    monkeypatch.setenv("AWS_ENDPOINT_URL_APPCONFIG", aws)
    monkeypatch.setenv("AWS_ENDPOINT_URL_APPCONFIGDATA", aws)
    client = boto3.client("appconfig")
    application = client.create_application(Name="studysync")["Id"]
    environment = client.create_environment(ApplicationId=application, Name="dev")["Id"]
    profile = client.create_configuration_profile(ApplicationId=application, Name="switches", LocationUri="hosted")
    strategy = client.create_deployment_strategy(
        Name="at-once", DeploymentDurationInMinutes=0, FinalBakeTimeInMinutes=0, GrowthFactor=100, ReplicateTo="NONE"
    )
    monkeypatch.setenv("SWITCHES", f"{application}/{environment}/{profile['Id']}")
    monkeypatch.setenv("SWITCHES_STRATEGY", strategy["Id"])
    forget_settings()
    deploy_switches(read_only=False)
    yield client
    monkeypatch.undo()
    forget_settings()
