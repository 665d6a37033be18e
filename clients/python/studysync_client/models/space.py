from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.space_role_type_0 import SpaceRoleType0
from ..models.space_visibility import SpaceVisibility
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="Space")



@_attrs_define
class Space:
    """ A space as the caller sees it.

     """

    space_id: UUID
    name: str
    description: None | str
    visibility: SpaceVisibility
    capacity: int
    member_count: int
    created_at: datetime.datetime
    owner_id: UUID
    is_member: bool
    role: None | SpaceRoleType0
    """ The caller's role; null for non-members. """
    invite_code: None | str
    """ Visible to the owner and moderators; null for others. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        space_id = str(self.space_id)

        name = self.name

        description: None | str
        description = self.description

        visibility = self.visibility.value

        capacity = self.capacity

        member_count = self.member_count

        created_at = self.created_at.isoformat()

        owner_id = str(self.owner_id)

        is_member = self.is_member

        role: None | str
        if isinstance(self.role, SpaceRoleType0):
            role = self.role.value
        else:
            role = self.role

        invite_code: None | str
        invite_code = self.invite_code


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "space_id": space_id,
            "name": name,
            "description": description,
            "visibility": visibility,
            "capacity": capacity,
            "member_count": member_count,
            "created_at": created_at,
            "owner_id": owner_id,
            "is_member": is_member,
            "role": role,
            "invite_code": invite_code,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        space_id = UUID(d.pop("space_id"))




        name = d.pop("name")

        def _parse_description(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        description = _parse_description(d.pop("description"))


        visibility = SpaceVisibility(d.pop("visibility"))




        capacity = d.pop("capacity")

        member_count = d.pop("member_count")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        owner_id = UUID(d.pop("owner_id"))




        is_member = d.pop("is_member")

        def _parse_role(data: object) -> None | SpaceRoleType0:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                role_type_0 = SpaceRoleType0(data)



                return role_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SpaceRoleType0, data)

        role = _parse_role(d.pop("role"))


        def _parse_invite_code(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        invite_code = _parse_invite_code(d.pop("invite_code"))


        space = cls(
            space_id=space_id,
            name=name,
            description=description,
            visibility=visibility,
            capacity=capacity,
            member_count=member_count,
            created_at=created_at,
            owner_id=owner_id,
            is_member=is_member,
            role=role,
            invite_code=invite_code,
        )


        space.additional_properties = d
        return space

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
