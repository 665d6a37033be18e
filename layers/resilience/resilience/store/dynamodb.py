"""The store in one DynamoDB table (`pk`, `sk`, `ttl`).

Failure policy: short timeouts, few attempts, every error becomes StoreError, and after one that says "unreachable" the
table is left alone for a few seconds, so that an outage of DynamoDB costs one timeout every few seconds and not one a
call.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from resilience import _validation, events
from resilience._clock import SYSTEM, Clock
from resilience.errors import StoreError
from resilience.store.marshal import dump, dump_item, load_item
from resilience.store.protocol import Item, Value
from resilience.store.wire import RefusedError, UnreachableError, Wire

# About this request alone; the table is well for others. So is one that a policy keeps from this key.
_ANSWERED = frozenset(
    {
        "ConditionalCheckFailedException",
        "ValidationException",
        "ItemCollectionSizeLimitExceededException",
        "AccessDeniedException",
    }
)


class DynamoStore:
    """A store in DynamoDB. Building one opens nothing; the first request does.

    Args:
        table: The table's name; its keys are `pk` and `sk` (strings), its TTL attribute `ttl`.
        region: None takes AWS_REGION, AWS_DEFAULT_REGION or the profile's.
        endpoint_url: None takes AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or the region's endpoint.
        connect_timeout: Seconds, default 0.3.
        read_timeout: Seconds, default 0.5.
        attempts: Tries a request in all, default 2.
        cooloff_seconds: After a request that got no answer, refuse at once for so long. Default 5; 0 tries every time.
        clock: Its steady clock times the cool-off, its wall clock decides what has expired.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    blocking = True

    def __init__(
        self,
        table: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        connect_timeout: float = 0.3,
        read_timeout: float = 0.5,
        attempts: int = 2,
        cooloff_seconds: float = 5.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self.table = _validation.text("table", table)
        self._timeouts = (
            _validation.seconds("connect_timeout", connect_timeout),
            _validation.seconds("read_timeout", read_timeout),
        )
        self._attempts = _validation.whole("attempts", attempts)
        self._cooloff = _validation.number("cooloff_seconds", cooloff_seconds)
        self._region, self._endpoint = region, endpoint_url
        self._clock = clock
        self._down_until = 0.0
        self._wire: Wire | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Drop the connections and credentials; the next request finds new ones (after a SnapStart restore)."""
        with self._lock:
            wire, self._wire = self._wire, None
            self._down_until = 0.0
        if wire is not None:
            wire.close()

    def get(self, pk: str, sk: str) -> Item | None:
        """See Store.get."""
        answer = self._call("GetItem", Key=_key(pk, sk), ConsistentRead=True)
        raw = answer.get("Item")
        item = load_item(raw) if raw else None
        return item if item and self._alive(item) else None

    def query(self, pk: str, *, sk_prefix: str = "", limit: int | None = None) -> list[Item]:
        """See Store.query."""
        found: list[Item] = []
        request: dict[str, Any] = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": dump(pk)}}
        if sk_prefix:
            request["KeyConditionExpression"] += " AND begins_with(sk, :sk)"
            request["ExpressionAttributeValues"][":sk"] = dump(sk_prefix)
        while True:
            answer = self._call("Query", **request)
            found += [item for item in map(load_item, answer["Items"]) if self._alive(item)]
            last = answer.get("LastEvaluatedKey")
            if not last or (limit is not None and len(found) >= limit):
                return found[:limit]
            request["ExclusiveStartKey"] = last

    def put(self, pk: str, sk: str, attributes: Mapping[str, Value], *, ttl: int | None = None) -> None:
        """See Store.put."""
        self._call("PutItem", Item=dump_item(pk, sk, attributes, version=None, ttl=ttl))

    def put_if(
        self,
        pk: str,
        sk: str,
        attributes: Mapping[str, Value],
        *,
        expected_version: int | None,
        ttl: int | None = None,
    ) -> bool:
        """See Store.put_if."""
        now = {":now": dump(int(self._clock.wall()))}
        if expected_version is None:
            # DynamoDB removes expired items up to days late; until then they count as absent.
            condition = {"ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now"}
            values = now
        else:
            condition = {"ConditionExpression": "version = :seen AND (attribute_not_exists(#ttl) OR #ttl > :now)"}
            values = now | {":seen": dump(expected_version)}
        try:
            self._call(
                "PutItem",
                Item=dump_item(pk, sk, attributes, version=(expected_version or 0) + 1, ttl=ttl),
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=values,
                **condition,
            )
        except _LostRaceError:
            return False
        return True

    def add(self, pk: str, sk: str, deltas: Mapping[str, int], *, ttl: int | None = None) -> dict[str, int]:
        """See Store.add.

        An expired counter that DynamoDB has not removed yet is continued: give windows keys of their own.
        """
        names = {f"#n{i}": name for i, name in enumerate(deltas)}
        values = {f":d{i}": dump(delta) for i, delta in enumerate(deltas.values())}
        update = "ADD " + ", ".join(f"#n{i} :d{i}" for i in range(len(deltas)))
        if ttl is not None:
            names["#ttl"], values[":ttl"] = "ttl", dump(ttl)
            update += " SET #ttl = :ttl"
        answer = self._call(
            "UpdateItem",
            Key=_key(pk, sk),
            UpdateExpression=update,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ReturnValues="UPDATED_NEW",
        )
        return {name: int(answer["Attributes"][name]["N"]) for name in deltas}

    def delete(self, pk: str, sk: str) -> None:
        """See Store.delete."""
        self._call("DeleteItem", Key=_key(pk, sk))

    def _alive(self, item: Item) -> bool:
        return item.ttl is None or item.ttl > self._clock.wall()

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        if self._clock.steady() < self._down_until:
            raise StoreError(f"{operation}: table {self.table!r} did not answer a moment ago")
        events.emit(events.STORE_REQUEST, self.table, operation=operation)
        try:
            return self._connected().send(operation, {"TableName": self.table, **request})
        except RefusedError as error:
            if error.code == "ConditionalCheckFailedException":
                raise _LostRaceError(operation) from error
            if error.code not in _ANSWERED:
                self._rest()
            raise StoreError(f"{operation} on {self.table!r}: {error.code}") from error
        except UnreachableError as error:
            self._rest()
            raise StoreError(f"{operation} on {self.table!r}: {error}") from error
        except StoreError:  # no credentials, no region: looking for them can take as long
            self._rest()
            raise

    def _connected(self) -> Wire:
        wire = self._wire
        if wire is None:
            with self._lock:
                if self._wire is None:  # pragma: no branch - two threads at the same moment
                    connect, read = self._timeouts
                    self._wire = Wire(
                        region=self._region,
                        endpoint_url=self._endpoint,
                        connect_timeout=connect,
                        read_timeout=read,
                        attempts=self._attempts,
                    )
                wire = self._wire
        return wire

    def _rest(self) -> None:
        self._down_until = self._clock.steady() + self._cooloff if self._cooloff else 0.0


class _LostRaceError(StoreError):
    """The condition of a write did not hold."""


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": dump(pk), "sk": dump(sk)}
