from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.own_membership_role_type_0 import OwnMembershipRoleType0
from typing import cast
from uuid import UUID






T = TypeVar("T", bound="OwnMembership")



@_attrs_define
class OwnMembership:
    """ Whether the caller is a member of a space.

     """

    space_id: UUID
    is_member: bool
    role: None | OwnMembershipRoleType0
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        space_id = str(self.space_id)

        is_member = self.is_member

        role: None | str
        if isinstance(self.role, OwnMembershipRoleType0):
            role = self.role.value
        else:
            role = self.role


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "space_id": space_id,
            "is_member": is_member,
            "role": role,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        space_id = UUID(d.pop("space_id"))




        is_member = d.pop("is_member")

        def _parse_role(data: object) -> None | OwnMembershipRoleType0:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                role_type_0 = OwnMembershipRoleType0(data)



                return role_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | OwnMembershipRoleType0, data)

        role = _parse_role(d.pop("role"))


        own_membership = cls(
            space_id=space_id,
            is_member=is_member,
            role=role,
        )


        own_membership.additional_properties = d
        return own_membership

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
