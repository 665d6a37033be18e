"""How a Lambda environment starts faster: nothing is collected, built or read before a request needs it.

Measured on the built functions, that takes a quarter off the CPU until the first answer. Only in function processes:
whoever else imports the package keeps Python and pydantic as they are.
"""

from __future__ import annotations

import gc
import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

AUTHORITIES = "authorities"
"""The folder of the package in which a build has the certificate authorities, each to be read when it is met."""


def begin() -> bool:
    """Begin to start, before anything else is imported; returns whether this is a function's process."""
    if "_HANDLER" not in os.environ:  # set by Lambda
        return False
    # Lambda's level for lines would stand above ours, which a sampled request and the audit trail change for a moment.
    os.environ.pop("AWS_LAMBDA_LOG_LEVEL", None)
    gc.disable()  # nothing that imports make is garbage, and looking for some takes 8 % of the time
    use_bundled_certificates()
    _defer_schemas()
    _put_off("cryptography", "x509")  # PyJWT asks for it for keys that are certificates; a JWKS has none
    return True


def finish() -> None:
    """End the start: what is in memory now stays, and is not looked at again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def use_bundled_certificates() -> None:
    """Tell everybody of a build's folder of authorities, but where the environment names others."""
    authorities = Path(__file__).parents[1] / AUTHORITIES
    if authorities.is_dir() and not os.environ.get("SSL_CERT_FILE"):
        os.environ.setdefault("SSL_CERT_DIR", str(authorities))  # httpx and the resilience layer's store look there


def _put_off(package: str, name: str) -> None:
    """Have ``from package import name`` bring something that imports the module when it is first used.

    Whoever imports ``package.name`` itself gets it at once.
    """
    module = ModuleType(f"{package}.{name}")

    def when_used(attribute: str) -> Any:
        return getattr(importlib.import_module(module.__name__), attribute)

    module.__dict__["__getattr__"] = when_used
    setattr(importlib.import_module(package), name, module)


def _defer_schemas() -> None:
    """Have pydantic build the schema of a model when it is first used.

    FastAPI alone defines sixty models of OpenAPI that no request touches. It asks for three of them to be built as soon
    as they are defined, because they name each other; while it is imported, that waits for their first use as well.
    """
    from pydantic import BaseModel

    BaseModel.model_config["defer_build"] = True
    rebuild = BaseModel.__dict__["model_rebuild"]

    def when_used(model: type[BaseModel], /, **options: Any) -> bool | None:
        # A first use comes with options, a request to build at once without.
        built: bool | None = rebuild.__func__(model, **options) if options else None
        return built

    setattr(BaseModel, "model_rebuild", classmethod(when_used))  # noqa: B010 - a method, which mypy holds dear
    try:
        import fastapi.openapi.models  # noqa: F401
    finally:
        setattr(BaseModel, "model_rebuild", rebuild)  # noqa: B010
