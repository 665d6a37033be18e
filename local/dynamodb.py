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
    """moto's DynamoDB. It keeps everything in memory: circuits, cache and counters start empty, as they may."""

    def __init__(self, home: Home, ports: Ports, *, name: str = "dynamodb") -> None:
        super().__init__(home, ports, name=name, module="local.dynamodb_server", health="/")
        self._permissions = home.run / f"{name}.permissions"
        self.configure({"LOCAL_PERMISSIONS": str(self._permissions)})

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS SDK needs to find it, and never the real one."""
        return {
            "AWS_ENDPOINT_URL_DYNAMODB": self.origin,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
        }

    def stop(self) -> None:
        """End it, and forget what the functions may do."""
        super().stop()
        self._permissions.unlink(missing_ok=True)

    def create_tables(self, template: Template) -> dict[str, str]:
        """Create every table of the template that is not there; its name by logical id."""
        existing = set(self._call("ListTables", {})["TableNames"])
        names = {}
        for logical_id, properties in template.tables().items():
            names[logical_id] = str(properties.get("TableName", logical_id))
            if names[logical_id] not in existing:
                self._create(names[logical_id], properties)
        return names

    def allow(self, template: Template) -> None:
        """Hold every function to its policies from now on."""
        write_permissions(self._permissions, template.permissions())

    def _create(self, name: str, properties: dict[str, Any]) -> None:
        table = {key: properties[key] for key in _TABLE_PROPERTIES if key in properties}
        self._call("CreateTable", {"TableName": name, "BillingMode": "PAY_PER_REQUEST", **table})
        if "TimeToLiveSpecification" in properties:
            expiry = properties["TimeToLiveSpecification"]
            self._call("UpdateTimeToLive", {"TableName": name, "TimeToLiveSpecification": expiry})

    def _call(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """One request by hand: boto3 would cost the serving process 40 MB and half a second."""
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            # moto reads the region from it and leaves the signature alone.
            "Authorization": f"AWS4-HMAC-SHA256 Credential=local/20250101/{_REGION}/dynamodb/aws4_request, Signature=-",
        }
        request = Request(self.origin, json.dumps(body).encode(), headers)  # noqa: S310 - our own
        with open_url(request, timeout=10) as answer:
            answered: dict[str, Any] = json.load(answer)
        return answered
