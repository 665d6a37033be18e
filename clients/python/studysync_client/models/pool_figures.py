from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset







T = TypeVar("T", bound="PoolFigures")



@_attrs_define
class PoolFigures:
    """ The connection pools of all environments combined.

     """

    active: int
    limit: int
    utilisation: float
    waiting: int
    average_wait_ms: float
    longest_wait_ms: float
    timeouts: int
    environments: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        active = self.active

        limit = self.limit

        utilisation = self.utilisation

        waiting = self.waiting

        average_wait_ms = self.average_wait_ms

        longest_wait_ms = self.longest_wait_ms

        timeouts = self.timeouts

        environments = self.environments


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "active": active,
            "limit": limit,
            "utilisation": utilisation,
            "waiting": waiting,
            "average_wait_ms": average_wait_ms,
            "longest_wait_ms": longest_wait_ms,
            "timeouts": timeouts,
            "environments": environments,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        active = d.pop("active")

        limit = d.pop("limit")

        utilisation = d.pop("utilisation")

        waiting = d.pop("waiting")

        average_wait_ms = d.pop("average_wait_ms")

        longest_wait_ms = d.pop("longest_wait_ms")

        timeouts = d.pop("timeouts")

        environments = d.pop("environments")

        pool_figures = cls(
            active=active,
            limit=limit,
            utilisation=utilisation,
            waiting=waiting,
            average_wait_ms=average_wait_ms,
            longest_wait_ms=longest_wait_ms,
            timeouts=timeouts,
            environments=environments,
        )


        pool_figures.additional_properties = d
        return pool_figures

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
