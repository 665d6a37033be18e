"""The template as CloudFormation receives it, transformed by AWS's own translator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local.intrinsics import read_template
from tools.package import stamped

ROOT = Path(__file__).parents[3]
Resources = dict[str, dict[str, Any]]
LOCAL_PATHS = ("CodeUri", "ContentUri")


def _uploaded(document: dict[str, Any]) -> dict[str, Any]:
    """Replace local paths with S3 addresses, as `sam deploy` does."""
    sections = [resource.get("Properties", {}) for resource in document["Resources"].values()]
    for section in (document["Globals"]["Function"], *sections):
        for name in LOCAL_PATHS:
            if name in section:
                section[name] = f"s3://bucket/{section[name].strip('/').replace('/', '-')}"
    return document


@pytest.fixture(scope="session")
def translate() -> Callable[..., Resources]:
    """Transform template.yaml with the stamp of a build."""

    def translate(build: str = "one") -> Resources:
        text = stamped((ROOT / "template.yaml").read_text(encoding="utf-8"), build)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
            values = {"Stage": "prod", "SupabaseUrl": "https://project.supabase.co"}
            translated = Translator({}, Parser()).translate(_uploaded(read_template(text)), values)
        resources: Resources = json.loads(json.dumps(translated["Resources"]))
        return resources

    return translate


@pytest.fixture(scope="session")
def resources(translate: Callable[..., Resources]) -> Resources:
    """The resources of the transformed template."""
    return translate()


@pytest.fixture(scope="session")
def functions(resources: Resources) -> Resources:
    """The properties of every API function by logical id, without the copier of audit lines."""
    found = {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::Lambda::Function"}
    return {name: properties for name, properties in found.items() if "ZipFile" not in properties["Code"]}
