"""DynamoDB: moto's server as a child process, and the table that the template describes."""

import json
from typing import Any
from urllib.request import Request

from local.home import Home, Ports
from local.loopback import open_url
from local.policies import write_permissions
from local.served import Served
from local.template import Template

_REGION = "us-east-1"
_TABLE_PROPERTIES = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes")


class DynamoDB(Served):
    """moto's DynamoDB, in memory: circuits, cache and counters start empty, which is harmless."""

    def __init__(self, home: Home, ports: Ports, *, name: str = "dynamodb") -> None:
        super().__init__(home, ports, name=name, module="local.dynamodb_server", health="/")
        self._permissions = home.run / f"{name}.permissions"
        self.configure({"LOCAL_PERMISSIONS": str(self._permissions)})

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point an AWS SDK at it, never at the real one."""
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.origin,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
        }

    def stop(self) -> None:
        """Stop it, and delete the functions' permissions."""
        super().stop()
        self._permissions.unlink(missing_ok=True)

    def create_tables(self, template: Template) -> dict[str, str]:
        """Create the tables of the template that do not exist yet; returns their names by logical id."""
        existing = set(self._call("ListTables", {})["TableNames"])
        names = {}
        for logical_id, properties in template.tables().items():
            names[logical_id] = str(properties.get("TableName", logical_id))
            if names[logical_id] not in existing:
                self._create(names[logical_id], properties)
        return names

    def allow(self, template: Template) -> None:
        """Enforce the policies of every function from now on."""
        write_permissions(self._permissions, template.permissions())

    def _create(self, name: str, properties: dict[str, Any]) -> None:
        table = {key: properties[key] for key in _TABLE_PROPERTIES if key in properties}
        self._call("CreateTable", {"TableName": name, "BillingMode": "PAY_PER_REQUEST", **table})
        if "TimeToLiveSpecification" in properties:
            expiry = properties["TimeToLiveSpecification"]
            self._call("UpdateTimeToLive", {"TableName": name, "TimeToLiveSpecification": expiry})

    def _call(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a request without boto3, which would cost the serving process 40 MB and half a second."""
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            # moto reads the region from it and ignores the signature.
            "Authorization": f"AWS4-HMAC-SHA256 Credential=local/20250101/{_REGION}/dynamodb/aws4_request, Signature=-",
        }
        request = Request(self.origin, json.dumps(body).encode(), headers)  # noqa: S310 - our own
        with open_url(request, timeout=10) as answer:
            answered: dict[str, Any] = json.load(answer)
        return answered
