from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.membership_role import MembershipRole
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="Membership")



@_attrs_define
class Membership:
    """ A user's membership of a space.

     """

    space_id: UUID
    user_id: UUID
    is_member: bool
    role: MembershipRole
    joined_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        space_id = str(self.space_id)

        user_id = str(self.user_id)

        is_member = self.is_member

        role = self.role.value

        joined_at = self.joined_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "space_id": space_id,
            "user_id": user_id,
            "is_member": is_member,
            "role": role,
            "joined_at": joined_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        space_id = UUID(d.pop("space_id"))




        user_id = UUID(d.pop("user_id"))




        is_member = d.pop("is_member")

        role = MembershipRole(d.pop("role"))




        joined_at = datetime.datetime.fromisoformat(d.pop("joined_at"))




        membership = cls(
            space_id=space_id,
            user_id=user_id,
            is_member=is_member,
            role=role,
            joined_at=joined_at,
        )


        membership.additional_properties = d
        return membership

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
