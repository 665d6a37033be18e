"""The store in Redis or Valkey, for servers that have one; the extra `redis` installs the client.

An item is a hash, and a partition is a sorted set of its sort keys; both are in the same slot of a cluster. Operations
that must be atomic are Lua scripts. Failure policy: every failed request raises StoreError within `deadline` seconds,
and requests then fail at once for `cooloff_seconds`.
"""

from __future__ import annotations

import base64
import importlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from resilience import _validation, events
from resilience._clock import SYSTEM, Clock
from resilience._fork import register_after_fork
from resilience.errors import StoreError
from resilience.store._time_limiter import TimeLimiter
from resilience.store._values import RESERVED
from resilience.store.protocol import Item, Value

T = TypeVar("T")
_TEXT: Final = "s"
_BYTES: Final = "b"

_LIVE: Final = """
local ttl = redis.call('HGET', KEYS[1], 't')
local live = redis.call('EXISTS', KEYS[1]) == 1 and (not ttl or tonumber(ttl) > tonumber(ARGV[1]))
"""
_WRITE: Final = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'd', ARGV[3])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'v', ARGV[5]) end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 't', ARGV[4])
  redis.call('EXPIREAT', KEYS[1], ARGV[4])
end
redis.call('ZADD', KEYS[2], 0, ARGV[2])
return 1
"""
_PUT_IF: Final = (
    _LIVE
    + """
local seen = redis.call('HGET', KEYS[1], 'v')
if ARGV[6] == '' then
  if live then return 0 end
elseif not live or seen ~= ARGV[6] then
  return 0
end
"""
    + _WRITE
)
_ADD: Final = (
    _LIVE
    + """
if not live then redis.call('DEL', KEYS[1]) end
local repeated = ARGV[4] ~= '' and redis.call('HGET', KEYS[1], 'b:' .. ARGV[4]) == ARGV[5]
local values = {}
for i = 6, #ARGV, 2 do
  local by = repeated and 0 or ARGV[i + 1]
  values[#values + 1] = redis.call('HINCRBY', KEYS[1], 'n:' .. ARGV[i], by)
end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'b:' .. ARGV[4], ARGV[5]) end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 't', ARGV[3])
  redis.call('EXPIREAT', KEYS[1], ARGV[3])
end
redis.call('ZADD', KEYS[2], 0, ARGV[2])
return values
"""
)


class RedisStore:
    """A store in Redis or Valkey. Building one opens no connection.

    Args:
        url: The server, for example `redis://localhost:6379/0`, or `rediss://` for TLS.
        prefix: Prefix of all keys, default "resilience:".
        connect_timeout: Seconds to connect, default 0.3.
        read_timeout: Seconds for each read, default 0.4.
        deadline: Total seconds for a request, default 1.0.
        cooloff_seconds: Seconds for which requests fail at once after one failed. Default 5; 0 turns it off.
        clock: Its monotonic clock times the cool-off, its wall clock decides which items have expired.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    blocking = True

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "resilience:",
        connect_timeout: float = 0.3,
        read_timeout: float = 0.4,
        deadline: float = 1.0,
        cooloff_seconds: float = 5.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self._url = _validation.text("url", url)
        self._prefix = prefix
        self._timeouts = {
            "socket_connect_timeout": _validation.seconds("connect_timeout", connect_timeout),
            "socket_timeout": _validation.seconds("read_timeout", read_timeout),
        }
        self._time_limiter = TimeLimiter("resilience-redis", _validation.seconds("deadline", deadline))
        self._cooloff = _validation.number("cooloff_seconds", cooloff_seconds)
        self._clock = clock
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Drop the client in a forked child: its sockets are the parent's."""
        self._client: Any = None
        self._down_until = 0.0

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        client, self._client, self._down_until = self._client, None, 0.0
        if client is not None:
            client.close()

    def get(self, pk: str, sk: str) -> Item | None:
        """See Store.get."""
        return self._item(pk, sk, self._call("get", lambda client: client.hgetall(self._key(pk, sk))))

    def query(self, pk: str, *, sk_prefix: str = "", limit: int | None = None) -> list[Item]:
        """See Store.query."""

        def read(client: Any) -> list[tuple[str, dict[bytes, bytes]]]:
            least, most = (f"[{sk_prefix}", f"[{sk_prefix}\U0010ffff") if sk_prefix else ("-", "+")
            names = [name.decode() for name in client.zrangebylex(self._index(pk), least, most)]
            with client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hgetall(self._key(pk, name))
                found = list(zip(names, pipe.execute(), strict=True))
            gone = [name for name, fields in found if not fields]
            if gone:
                client.zrem(self._index(pk), *gone)
            return found

        found = self._call("query", read)
        return [item for sk, fields in found if (item := self._item(pk, sk, fields)) is not None][:limit]

    def put(self, pk: str, sk: str, attributes: Mapping[str, Value], *, ttl: int | None = None) -> None:
        """See Store.put."""
        data = _dump(attributes)
        self._call("put", lambda client: self._script(client, _WRITE, pk, sk, (self._now(), sk, data, _text(ttl), "")))

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
        version = first_version if expected_version is None else expected_version + 1
        given = (self._now(), sk, _dump(attributes), _text(ttl), str(version), _text(expected_version))
        return bool(self._call("put_if", lambda client: self._script(client, _PUT_IF, pk, sk, given)))

    def add(
        self,
        pk: str,
        sk: str,
        deltas: Mapping[str, int],
        *,
        ttl: int | None = None,
        request_id: tuple[str, str] | None = None,
    ) -> dict[str, int]:
        """See Store.add."""
        writer, number = request_id or ("", "")
        pairs = [text for name, delta in deltas.items() for text in (name, str(delta))]
        given = (self._now(), sk, _text(ttl), writer, number, *pairs)
        values = self._call("add", lambda client: self._script(client, _ADD, pk, sk, given))
        return dict(zip(deltas, map(int, values), strict=True))

    def delete(self, pk: str, sk: str) -> None:
        """See Store.delete."""
        self._call("delete", lambda client: (client.delete(self._key(pk, sk)), client.zrem(self._index(pk), sk)))

    def _script(self, client: Any, script: str, pk: str, sk: str, arguments: Iterable[str]) -> Any:
        return client.register_script(script)(keys=[self._key(pk, sk), self._index(pk)], args=list(arguments))

    def _call(self, operation: str, work: Callable[[Any], T]) -> T:
        if self._clock.steady() < self._down_until:
            raise StoreError(f"{operation}: the server did not answer a moment ago")
        events.emit(events.STORE_REQUEST, "redis", operation=operation)
        try:
            return self._time_limiter.run(lambda: work(self._connected()))
        except Exception as error:
            self._down_until = self._clock.steady() + self._cooloff if self._cooloff else 0.0
            raise StoreError(f"{operation}: {type(error).__name__}: {error}") from error

    def _connected(self) -> Any:
        if self._client is None:
            client: Any = importlib.import_module("redis")
            self._client = client.Redis.from_url(self._url, **self._timeouts)
        return self._client

    def _item(self, pk: str, sk: str, fields: Mapping[bytes, bytes]) -> Item | None:
        """Return the item in a hash; None when it is absent, expired, or cannot be read."""
        if not fields:
            return None
        try:
            attributes: dict[str, Value] = _load(fields.get(b"d", b"{}"))
            attributes |= {name.decode()[2:]: int(n) for name, n in fields.items() if name.startswith(b"n:")}
            version, ttl = fields.get(b"v"), fields.get(b"t")
            item = Item(pk, sk, attributes, int(version) if version else None, int(ttl) if ttl else None)
        except (TypeError, ValueError) as error:
            events.emit(events.STORE_ERROR, "redis", operation="read", key=f"{pk} {sk}", error=str(error))
            return None
        return item if item.ttl is None or item.ttl > self._clock.wall() else None

    def _key(self, pk: str, sk: str) -> str:
        return f"{self._prefix}{{{pk}}}:{sk}"

    def _index(self, pk: str) -> str:
        return f"{self._prefix}{{{pk}}}"

    def _now(self) -> str:
        return str(self._clock.wall())


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _dump(attributes: Mapping[str, Value]) -> str:
    """Return the attributes as JSON; raises TypeError or ValueError for what cannot be stored."""
    if clash := RESERVED & attributes.keys():
        raise ValueError(f"attributes {sorted(clash)} are reserved")
    for value in attributes.values():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value!r} cannot be stored: not a finite number")
        if not isinstance(value, str | int | float | bool | bytes | None):
            raise TypeError(f"{type(value).__name__} cannot be stored")
    return json.dumps(
        {
            name: _BYTES + base64.b64encode(v).decode() if isinstance(v, bytes) else _escaped(v)
            for name, v in attributes.items()
        }
    )


def _escaped(value: Value) -> Value:
    return _TEXT + value if isinstance(value, str) else value


def _load(data: bytes) -> dict[str, Value]:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise TypeError("no attributes")
    return {name: _loaded(value) for name, value in found.items()}


def _loaded(value: Any) -> Value:
    if isinstance(value, str):
        return base64.b64decode(value[1:]) if value.startswith(_BYTES) else value[1:]
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(f"stored values of kind {type(value).__name__} are not read here")
