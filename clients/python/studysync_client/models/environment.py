from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime






T = TypeVar("T", bound="Environment")



@_attrs_define
class Environment:
    """ An execution environment: a running copy of a function.

     """

    id: str
    service: str
    """ Its function: `users`, `sessions` and so on. """
    version: str
    last_seen: datetime.datetime
    """ The minute of its last call. """
    requests: int
    errors: int
    average_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    connections: int
    """ Database connections in use when it last wrote its metrics. """
    waiting: int
    cache_entries: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        id = self.id

        service = self.service

        version = self.version

        last_seen = self.last_seen.isoformat()

        requests = self.requests

        errors = self.errors

        average_ms = self.average_ms

        p50_ms = self.p50_ms

        p95_ms = self.p95_ms

        p99_ms = self.p99_ms

        connections = self.connections

        waiting = self.waiting

        cache_entries = self.cache_entries


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "id": id,
            "service": service,
            "version": version,
            "last_seen": last_seen,
            "requests": requests,
            "errors": errors,
            "average_ms": average_ms,
            "p50_ms": p50_ms,
            "p95_ms": p95_ms,
            "p99_ms": p99_ms,
            "connections": connections,
            "waiting": waiting,
            "cache_entries": cache_entries,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = d.pop("id")

        service = d.pop("service")

        version = d.pop("version")

        last_seen = datetime.datetime.fromisoformat(d.pop("last_seen"))




        requests = d.pop("requests")

        errors = d.pop("errors")

        average_ms = d.pop("average_ms")

        p50_ms = d.pop("p50_ms")

        p95_ms = d.pop("p95_ms")

        p99_ms = d.pop("p99_ms")

        connections = d.pop("connections")

        waiting = d.pop("waiting")

        cache_entries = d.pop("cache_entries")

        environment = cls(
            id=id,
            service=service,
            version=version,
            last_seen=last_seen,
            requests=requests,
            errors=errors,
            average_ms=average_ms,
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            p99_ms=p99_ms,
            connections=connections,
            waiting=waiting,
            cache_entries=cache_entries,
        )


        environment.additional_properties = d
        return environment

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
