from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.switches_in_effect_suspicion_mode import SwitchesInEffectSuspicionMode
from typing import cast






T = TypeVar("T", bound="SwitchesInEffect")



@_attrs_define
class SwitchesInEffect:
    """ The switches: values that apply without a deployment.

     """

    available: bool
    """ False where AWS AppConfig is not available; then nothing can be changed. """
    changed: list[str]
    """ The names of those that operators have set. """
    read_only: bool
    """ Writes get a 503, except signing in; schedules that write do nothing. """
    suspicion_mode: SwitchesInEffectSuspicionMode
    rate_limit_per_minute: int
    rate_limit_per_hour: int
    closed_routes: list[str]
    """ Routes that get a 503, as method and path. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        available = self.available

        changed = self.changed



        read_only = self.read_only

        suspicion_mode = self.suspicion_mode.value

        rate_limit_per_minute = self.rate_limit_per_minute

        rate_limit_per_hour = self.rate_limit_per_hour

        closed_routes = self.closed_routes




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "available": available,
            "changed": changed,
            "read_only": read_only,
            "suspicion_mode": suspicion_mode,
            "rate_limit_per_minute": rate_limit_per_minute,
            "rate_limit_per_hour": rate_limit_per_hour,
            "closed_routes": closed_routes,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        available = d.pop("available")

        changed = cast(list[str], d.pop("changed"))


        read_only = d.pop("read_only")

        suspicion_mode = SwitchesInEffectSuspicionMode(d.pop("suspicion_mode"))




        rate_limit_per_minute = d.pop("rate_limit_per_minute")

        rate_limit_per_hour = d.pop("rate_limit_per_hour")

        closed_routes = cast(list[str], d.pop("closed_routes"))


        switches_in_effect = cls(
            available=available,
            changed=changed,
            read_only=read_only,
            suspicion_mode=suspicion_mode,
            rate_limit_per_minute=rate_limit_per_minute,
            rate_limit_per_hour=rate_limit_per_hour,
            closed_routes=closed_routes,
        )


        switches_in_effect.additional_properties = d
        return switches_in_effect

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
