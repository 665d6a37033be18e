from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.member_role import MemberRole
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="Member")



@_attrs_define
class Member:
    """ A member of a space.

     """

    user_id: UUID
    username: str
    role: MemberRole
    joined_at: datetime.datetime
    xp: int
    is_studying: bool
    """ Whether the member has an active session. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        user_id = str(self.user_id)

        username = self.username

        role = self.role.value

        joined_at = self.joined_at.isoformat()

        xp = self.xp

        is_studying = self.is_studying


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "user_id": user_id,
            "username": username,
            "role": role,
            "joined_at": joined_at,
            "xp": xp,
            "is_studying": is_studying,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        user_id = UUID(d.pop("user_id"))




        username = d.pop("username")

        role = MemberRole(d.pop("role"))




        joined_at = datetime.datetime.fromisoformat(d.pop("joined_at"))




        xp = d.pop("xp")

        is_studying = d.pop("is_studying")

        member = cls(
            user_id=user_id,
            username=username,
            role=role,
            joined_at=joined_at,
            xp=xp,
            is_studying=is_studying,
        )


        member.additional_properties = d
        return member

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
