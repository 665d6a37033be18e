from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from uuid import UUID






T = TypeVar("T", bound="Removed")



@_attrs_define
class Removed:
    """ A user who is no longer a member of the space.

     """

    space_id: UUID
    user_id: UUID
    is_member: bool
    banned: bool
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        space_id = str(self.space_id)

        user_id = str(self.user_id)

        is_member = self.is_member

        banned = self.banned


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "space_id": space_id,
            "user_id": user_id,
            "is_member": is_member,
            "banned": banned,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        space_id = UUID(d.pop("space_id"))




        user_id = UUID(d.pop("user_id"))




        is_member = d.pop("is_member")

        banned = d.pop("banned")

        removed = cls(
            space_id=space_id,
            user_id=user_id,
            is_member=is_member,
            banned=banned,
        )


        removed.additional_properties = d
        return removed

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
