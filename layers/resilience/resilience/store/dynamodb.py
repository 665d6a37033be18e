"""The store in one DynamoDB table (`pk`, `sk`, `ttl`), through boto3's low-level client.

Failure policy: every failed request raises StoreError within `deadline` seconds. If the table did not answer, or its
error concerns all requests, requests fail at once for `cooloff_seconds`: an outage then costs one deadline every few
seconds instead of one per call. Throttling is an answer: it stops only requests for the partition key that was
throttled. An item that cannot be read is skipped and reported as a `store_error` event; it never hides other items.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from resilience import _validation, events
from resilience._clock import SYSTEM, Clock
from resilience._fork import register_after_fork
from resilience.errors import StoreError
from resilience.store._connection import Connection, NotReadyError, RefusedError, ThrottledError, UnreachableError
from resilience.store._values import dump, dump_item, load_item
from resilience.store.protocol import Item, StoreThrottledError, Value

# Errors of one request, while the table works for others. An IAM policy may deny access to single keys only.
_ANSWERED = frozenset(
    {
        "ConditionalCheckFailedException",
        "ValidationException",
        "ItemCollectionSizeLimitExceededException",
        "AccessDeniedException",
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
    }
)
_NOT_READY_SECONDS = 0.2
_MOST_THROTTLED = 1_000
_LOST_RACE = "ConditionalCheckFailedException"


class DynamoStore:
    """A store in DynamoDB. Building one opens no connection and creates no client; `prepare` or the first request does.

    Args:
        table: The table's name; its keys are `pk` and `sk` (strings), its TTL attribute `ttl`.
        region: The AWS region; None takes AWS_DEFAULT_REGION, AWS_REGION or the profile's, in this order.
        endpoint_url: None takes what boto3 finds: AWS_ENDPOINT_URL_DYNAMODB, the profile's, or the region's endpoint.
        connect_timeout: Seconds to connect, default 0.3.
        read_timeout: Seconds for each read, default 0.4.
        deadline: Total seconds for a request, retries included, default 1.0.
        attempts: Attempts for a request, the first included, default 2. Each retry uses a new connection.
        cooloff_seconds: Seconds for which requests fail at once after one got no answer. Default 5; 0 turns it off.
        throttle_seconds: Seconds for which requests for a partition key fail at once after it was throttled. Default 1;
            0 turns it off.
        clock: Its monotonic clock times the two pauses, its wall clock decides which items have expired.

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
        read_timeout: float = 0.4,
        deadline: float = 1.0,
        attempts: int = 2,
        cooloff_seconds: float = 5.0,
        throttle_seconds: float = 1.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self.table = _validation.text("table", table)
        self._cooloff = _validation.number("cooloff_seconds", cooloff_seconds)
        self._throttle = _validation.number("throttle_seconds", throttle_seconds)
        self._clock = clock
        self._down_until = 0.0
        self._throttled: dict[str, float] = {}
        self._writers = _Writers()
        self._connection = Connection(
            {"region_name": region, "endpoint_url": endpoint_url},
            connect_timeout=_validation.seconds("connect_timeout", connect_timeout),
            read_timeout=_validation.seconds("read_timeout", read_timeout),
            deadline=_validation.seconds("deadline", deadline),
            attempts=_validation.whole("attempts", attempts),
        )

    def prepare(self) -> bool:
        """Create boto3's client now: not during a request, and before a SnapStart snapshot.

        Returns:
            False when it cannot be created yet; the first request tries again.
        """
        try:
            self._connection.prepare()
        except StoreError as error:
            events.emit(events.STORE_ERROR, self.table, operation="prepare", error=str(error))
            return False
        return True

    def close(self) -> None:
        """Close the pooled connections and forget outages and throttled keys, for example after a restore."""
        self._connection.close()
        self._down_until = 0.0
        self._throttled.clear()

    def get(self, pk: str, sk: str) -> Item | None:
        """See Store.get."""
        raw = self._call("GetItem", pk, Key=_key(pk, sk), ConsistentRead=True).get("Item")
        return next(self._readable([raw] if raw else []), None)

    def query(self, pk: str, *, sk_prefix: str = "", limit: int | None = None) -> list[Item]:
        """See Store.query."""
        found: list[Item] = []
        request: dict[str, Any] = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": dump(pk)}}
        if sk_prefix:
            request["KeyConditionExpression"] += " AND begins_with(sk, :sk)"
            request["ExpressionAttributeValues"][":sk"] = dump(sk_prefix)
        while True:
            answer = self._call("Query", pk, **request)
            found += self._readable(answer["Items"])
            last = answer.get("LastEvaluatedKey")
            if not last or (limit is not None and len(found) >= limit):
                return found[:limit]
            request["ExclusiveStartKey"] = last

    def put(self, pk: str, sk: str, attributes: Mapping[str, Value], *, ttl: int | None = None) -> None:
        """See Store.put."""
        self._call("PutItem", pk, Item=dump_item(pk, sk, attributes, version=None, ttl=ttl))

    def put_if(
        self,
        pk: str,
        sk: str,
        attributes: Mapping[str, Value],
        *,
        expected_version: int | None,
        ttl: int | None = None,
        first_version: int = 1,
    ) -> bool:
        """See Store.put_if."""
        now = {":now": dump(int(self._clock.wall()))}
        version = first_version if expected_version is None else expected_version + 1
        if expected_version is None:
            # DynamoDB may remove expired items days late; until then they must count as absent.
            condition = {"ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now"}
            values = now
        else:
            condition = {"ConditionExpression": "version = :seen AND (attribute_not_exists(#ttl) OR #ttl > :now)"}
            values = now | {":seen": dump(expected_version)}
        try:
            self._call(
                "PutItem",
                pk,
                Item=dump_item(pk, sk, attributes, version=version, ttl=ttl),
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=values,
                **condition,
            )
        except _LostRaceError:
            return False
        return True

    def add(
        self,
        pk: str,
        sk: str,
        deltas: Mapping[str, int],
        *,
        ttl: int | None = None,
        request_id: tuple[str, str] | None = None,
    ) -> dict[str, int]:
        """See Store.add.

        Each request stores its id in an attribute that belongs to its writer, on condition that the id is not there
        yet. So a request that is retried after a lost answer counts once.
        """
        if request_id is not None:
            return self._add(request_id, pk, sk, deltas, ttl)
        with self._writers.one() as writer:
            return self._add((writer, os.urandom(4).hex()), pk, sk, deltas, ttl)

    def _add(
        self, request_id: tuple[str, str], pk: str, sk: str, deltas: Mapping[str, int], ttl: int | None
    ) -> dict[str, int]:
        names = {f"#n{i}": name for i, name in enumerate(deltas)} | {"#by": f"by_{request_id[0]}"}
        values = {f":d{i}": dump(delta) for i, delta in enumerate(deltas.values())} | {":by": dump(request_id[1])}
        update = "ADD " + ", ".join(f"#n{i} :d{i}" for i in range(len(deltas))) + " SET #by = :by"
        if ttl is not None:
            names["#ttl"], values[":ttl"] = "ttl", dump(ttl)
            update += ", #ttl = :ttl"
        request = {
            "Key": _key(pk, sk),
            "UpdateExpression": update,
            "ConditionExpression": "attribute_not_exists(#by) OR #by <> :by",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            counted = self._call("UpdateItem", pk, **request)["Attributes"]
        except _LostRaceError as error:
            counted = error.item  # the previous attempt was counted, but its answer was lost
        try:
            return {name: int(counted[name]["N"]) for name in deltas}
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"UpdateItem on {self.table!r}: the counter cannot be read") from error

    def delete(self, pk: str, sk: str) -> None:
        """See Store.delete."""
        self._call("DeleteItem", pk, Key=_key(pk, sk))

    def _readable(self, raw: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
        now = self._clock.wall()
        for each in raw:
            try:
                item = load_item(each)
            except (TypeError, ValueError, KeyError, StopIteration) as error:
                key = " ".join(str(each.get(name, {}).get("S")) for name in ("pk", "sk"))
                events.emit(events.STORE_ERROR, self.table, operation="read", key=key, error=str(error))
                continue
            if item.ttl is None or item.ttl > now:
                yield item

    def _call(self, operation: str, pk: str, **request: Any) -> dict[str, Any]:
        now = self._clock.steady()
        if now < self._down_until:
            raise StoreError(f"{operation}: table {self.table!r} did not answer a moment ago")
        if self._throttled and now < self._throttled.get(pk, 0.0):
            raise StoreThrottledError(f"{operation}: key {pk[:80]!r} of {self.table!r} was throttled a moment ago")
        events.emit(events.STORE_REQUEST, self.table, operation=operation)
        try:
            return self._connection.send(operation, {"TableName": self.table, **request})
        except ThrottledError as error:
            self._leave_alone(pk)
            raise StoreThrottledError(f"{operation} on {self.table!r}: {error}") from error
        except RefusedError as error:
            if error.code == _LOST_RACE:
                raise _LostRaceError(operation, error.item or {}) from error
            if error.code not in _ANSWERED:
                self._rest()
            raise StoreError(f"{operation} on {self.table!r}: {error.code}") from error
        except NotReadyError as error:
            self._down_until = self._clock.steady() + min(_NOT_READY_SECONDS, self._cooloff)
            raise StoreError(f"{operation} on {self.table!r}: {error}") from error
        except UnreachableError as error:
            self._rest()
            raise StoreError(f"{operation} on {self.table!r}: {error}") from error

    def _leave_alone(self, pk: str) -> None:
        if self._throttle:
            if len(self._throttled) >= _MOST_THROTTLED:
                self._throttled.clear()  # bounds the memory; at worst each key is throttled once more
            self._throttled[pk] = self._clock.steady() + self._throttle

    def _rest(self) -> None:
        self._down_until = self._clock.steady() + self._cooloff if self._cooloff else 0.0


class _Writers:
    """The names of this process's writers, one for each request in progress."""

    def __init__(self) -> None:
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Start new names in a forked child: the parent goes on using its own."""
        self._process = os.urandom(4).hex()
        self._free: list[str] = []  # needs no lock: append and pop are atomic
        self._numbers = itertools.count()

    @contextmanager
    def one(self) -> Iterator[str]:
        """Lend a name to one request. It is not reused if the request fails: an attempt may still reach the table."""
        try:
            writer = self._free.pop()
        except IndexError:
            writer = f"{self._process}_{next(self._numbers)}"
        yield writer
        self._free.append(writer)


class _LostRaceError(StoreError):
    """The condition of a write did not hold; `item` is the stored item, or {} if the request did not ask for it."""

    def __init__(self, operation: str, item: dict[str, Any]) -> None:
        super().__init__(operation, item)
        self.item = item


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": dump(pk), "sk": dump(sk)}
