"""What the local stack reads from the SAM template: functions, their routes and schedules, CORS, tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import StackError
from local.intrinsics import Resolver, UnresolvableError, read_template
from local.policies import Permission, permissions

_TABLE = "AWS::DynamoDB::Table"
_DEFAULT_TIMEOUT, _DEFAULT_MEMORY = 3, 128  # Lambda's own


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API; `path` is `$default` for paths that no other route matches."""

    method: str
    path: str
    function: str

    @property
    def key(self) -> str:
        """The route key, as events contain it in `routeKey`."""
        return self.path if self.path == "$default" else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Schedule:
    """A schedule that invokes a function; `input` is None if the template sets none."""

    name: str
    function: str
    expression: str
    input: str | None


@dataclass(frozen=True)
class Cors:
    """The HTTP API's CORS configuration."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    max_age: int | None = None
    credentials: bool = False


@dataclass(frozen=True)
class FunctionSpec:
    """A function: what runs it and what it may use. `timeout` is in seconds, `memory` in MB.

    `runtime` exists only in a built template: it replaces Lambda's own packages, so that the function sees nothing but
    them, its layers and its code.
    """

    name: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    timeout: int
    memory: int
    environment: Mapping[str, str]
    runtime: Path | None = None


class Template:
    """A SAM template, read once; its paths are relative to its folder."""

    def __init__(self, document: dict[str, Any], folder: Path, parameters: Mapping[str, str] | None = None) -> None:
        self._document, self._folder = document, folder
        self._resources: dict[str, Any] = document.get("Resources", {})
        names = {logical_id: logical_id for logical_id in self._of_type(_TABLE)}
        self._resolver = Resolver(document, names, parameters)

    @classmethod
    def load(cls, path: Path, parameters: Mapping[str, str] | None = None) -> "Template":
        """Read a file; StackError if it is not a readable template."""
        try:
            return cls(read_template(path.read_text()), path.resolve().parent, parameters)
        except Exception as error:
            raise StackError(f"{path} cannot be read as a template: {error}") from error

    def tables(self) -> dict[str, dict[str, Any]]:
        """Return the properties of every DynamoDB table by logical id, without those known only to a deployed stack."""
        return {name: self._known(entry.get("Properties", {})) for name, entry in self._of_type(_TABLE).items()}

    def functions(self) -> dict[str, FunctionSpec]:
        """Return all functions by logical id."""
        return {name: self._function(name) for name in self._of_type("AWS::Serverless::Function")}

    def permissions(self) -> dict[str, list[Permission]]:
        """Return what each function's policies allow on the table, by logical id."""
        functions = self._of_type("AWS::Serverless::Function").items()
        return {name: list(permissions(entry.get("Properties", {}).get("Policies", []))) for name, entry in functions}

    def routes(self) -> list[Route]:
        """Return all routes of the HTTP API."""
        return [
            Route(str(properties.get("Method", "ANY")).upper(), str(properties.get("Path", "$default")), function)
            for function, _, kind, properties in self._events()
            if kind == "HttpApi"
        ]

    def stage(self) -> str:
        """Return the stage of the HTTP API; a named one is part of every path."""
        return self._first("AWS::Serverless::HttpApi", "StageName") or "$default"

    def base_path(self) -> str:
        """Return the base path of the HTTP API's custom domain; empty without one."""
        return self._first("AWS::ApiGatewayV2::ApiMapping", "ApiMappingKey")

    def schedules(self) -> list[Schedule]:
        """Return all enabled schedules."""
        return [
            Schedule(
                name,
                function,
                str(properties.get("ScheduleExpression", properties.get("Schedule"))),
                properties.get("Input"),
            )
            for function, name, kind, properties in self._events()
            if kind in {"Schedule", "ScheduleV2"}
            and properties.get("State", "ENABLED") == "ENABLED"
            and properties.get("Enabled", True)
        ]

    def cors(self) -> Cors:
        """Return the CORS settings of the HTTP API, from its own properties or the globals; empty without any."""
        found = self._document.get("Globals", {}).get("HttpApi", {}).get("CorsConfiguration")
        for api in self._of_type("AWS::Serverless::HttpApi").values():
            found = api.get("Properties", {}).get("CorsConfiguration", found)
        if found is True:
            return Cors(origins=("*",))
        found = self._known(found or {})
        return Cors(
            origins=_texts(found.get("AllowOrigins")),
            methods=_texts(found.get("AllowMethods")),
            headers=_texts(found.get("AllowHeaders")),
            expose=_texts(found.get("ExposeHeaders")),
            max_age=found.get("MaxAge"),
            credentials=bool(found.get("AllowCredentials", False)),
        )

    def _first(self, kind: str, name: str) -> str:
        found = (self._known(entry.get("Properties", {})).get(name) for entry in self._of_type(kind).values())
        return str(next(found, None) or "")

    def _of_type(self, kind: str) -> dict[str, Any]:
        return {name: entry for name, entry in self._resources.items() if entry.get("Type") == kind}

    def _function(self, name: str) -> FunctionSpec:
        common = self._document.get("Globals", {}).get("Function", {})
        own = self._resources[name].get("Properties", {})
        merged = {**common, **own}
        known = self._known(
            {key: merged[key] for key in ("Handler", "CodeUri", "Timeout", "MemorySize") if key in merged}
        )
        return FunctionSpec(
            name=name,
            handler=known["Handler"],
            code=(self._folder / known.get("CodeUri", ".")).resolve(),
            layers=tuple(self._layers([*common.get("Layers", []), *own.get("Layers", [])])),
            timeout=int(known.get("Timeout", _DEFAULT_TIMEOUT)),
            memory=int(known.get("MemorySize", _DEFAULT_MEMORY)),
            environment=self._environment(common, own),
            runtime=self._runtime(),
        )

    def _layers(self, references: list[Any]) -> list[Path]:
        layers = self._of_type("AWS::Serverless::LayerVersion")
        named = [reference.get("Ref") for reference in references if isinstance(reference, dict)]
        folders = [self._folder / layers[name]["Properties"]["ContentUri"] for name in named if name in layers]
        # A built layer has its packages where Lambda looks for them below /opt.
        return [(path / "python" if (path / "python").is_dir() else path).resolve() for path in folders]

    def _runtime(self) -> Path | None:
        runtime = self._folder / "Runtime"  # created by `python -m tools.package --host`
        return runtime.resolve() if runtime.is_dir() else None

    def _environment(self, *sections: dict[str, Any]) -> dict[str, str]:
        variables: dict[str, Any] = {}
        for section in sections:
            variables |= section.get("Environment", {}).get("Variables", {})
        return {name: _variable(value) for name, value in self._known(variables).items()}

    def _events(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        return [
            (function, name, event["Type"], self._known(event.get("Properties", {})))
            for function, entry in self._of_type("AWS::Serverless::Function").items()
            for name, event in entry.get("Properties", {}).get("Events", {}).items()
        ]

    def _known(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return the properties that can be resolved locally."""
        known = {}
        for name, value in properties.items():
            try:
                known[name] = self._resolver.resolve(value)
            except UnresolvableError:
                continue
        return known


def _variable(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value.strip("'"),) if isinstance(value, str) else tuple(str(entry).strip("'") for entry in value)
