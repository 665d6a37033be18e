from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset







T = TypeVar("T", bound="CacheFigures")



@_attrs_define
class CacheFigures:
    """ The caches of all environments combined, since each started.

     """

    hit_rate: float
    hits: int
    misses: int
    stale: int
    entries: int
    memory_bytes: int
    evictions: int
    environments: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        hit_rate = self.hit_rate

        hits = self.hits

        misses = self.misses

        stale = self.stale

        entries = self.entries

        memory_bytes = self.memory_bytes

        evictions = self.evictions

        environments = self.environments


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "hit_rate": hit_rate,
            "hits": hits,
            "misses": misses,
            "stale": stale,
            "entries": entries,
            "memory_bytes": memory_bytes,
            "evictions": evictions,
            "environments": environments,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        hit_rate = d.pop("hit_rate")

        hits = d.pop("hits")

        misses = d.pop("misses")

        stale = d.pop("stale")

        entries = d.pop("entries")

        memory_bytes = d.pop("memory_bytes")

        evictions = d.pop("evictions")

        environments = d.pop("environments")

        cache_figures = cls(
            hit_rate=hit_rate,
            hits=hits,
            misses=misses,
            stale=stale,
            entries=entries,
            memory_bytes=memory_bytes,
            evictions=evictions,
            environments=environments,
        )


        cache_figures.additional_properties = d
        return cache_figures

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
