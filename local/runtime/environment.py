"""The environment variables of a function's process."""

import importlib.util
import os
from collections.abc import Mapping

from local.home import REPOSITORY
from local.intrinsics import PSEUDO_PARAMETERS
from local.template import FunctionSpec

# The template sets it because code folders are read-only on Lambda; here compiled modules survive cold starts.
_NOT_HERE = frozenset({"PYTHONDONTWRITEBYTECODE"})

# awslambdaric's C extension has wheels for Linux only; elsewhere its Python code installs without it.
NATIVE_CLIENT = importlib.util.find_spec("runtime_client") is not None
_PORTABLE_CLIENT = REPOSITORY / "local" / "runtime" / "portable"

# A developer's scripts and load tests come from one address, and a developer is an operator.
_GENEROUS = {
    "RATE_LIMIT_PER_MINUTE": "1000000",
    "RATE_LIMIT_PER_HOUR": "10000000",
    "REGISTRATIONS_PER_HOUR": "1000000",
}
_LOCAL = {"STAGE": "local", **_GENEROUS}


def function_environment(spec: FunctionSpec, backends: Mapping[str, str], runtime_api: str) -> dict[str, str]:
    """Return Lambda's variables, then the template's, those of the shell that override them, then the local backends'.

    The access key identifies the function's role, so that its policies apply here too.
    """
    left_out = frozenset() if spec.runtime else _NOT_HERE
    template = {**{name: value for name, value in spec.environment.items() if name not in left_out}, **_LOCAL}
    shell = {name: os.environ[name] for name in template if name in os.environ}
    return {**_lambda(spec, runtime_api), **template, **shell, **backends, "AWS_ACCESS_KEY_ID": spec.name}


def _lambda(spec: FunctionSpec, runtime_api: str) -> dict[str, str]:
    region = PSEUDO_PARAMETERS["AWS::Region"]
    client = None if NATIVE_CLIENT or spec.runtime else _PORTABLE_CLIENT
    return {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(
            str(folder) for folder in (spec.code, *spec.layers, spec.runtime, client) if folder
        ),
        "PYTHONUNBUFFERED": "1",
        "LAMBDA_TASK_ROOT": str(spec.code),
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "_HANDLER": spec.handler,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_SAM_LOCAL": "true",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def function_arn(name: str) -> str:
    """Return the function's ARN in the fictional account."""
    region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
    return f"arn:aws:lambda:{region}:{account}:function:{name}"
