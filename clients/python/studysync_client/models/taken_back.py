from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset







T = TypeVar("T", bound="TakenBack")



@_attrs_define
class TakenBack:
    """ The XP that was revoked, and the XP that is left.

     """

    xp_taken_back: int
    """ 0 if all of it had already been revoked. """
    total_xp: int
    level: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        xp_taken_back = self.xp_taken_back

        total_xp = self.total_xp

        level = self.level


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "xp_taken_back": xp_taken_back,
            "total_xp": total_xp,
            "level": level,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        xp_taken_back = d.pop("xp_taken_back")

        total_xp = d.pop("total_xp")

        level = d.pop("level")

        taken_back = cls(
            xp_taken_back=xp_taken_back,
            total_xp=total_xp,
            level=level,
        )


        taken_back.additional_properties = d
        return taken_back

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
