from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="PublicProfile")



@_attrs_define
class PublicProfile:
    """ The public part of a user's profile.

     """

    user_id: UUID
    username: str
    display_name: str
    xp: int
    level: int
    current_streak: int
    """ In days. """
    created_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        user_id = str(self.user_id)

        username = self.username

        display_name = self.display_name

        xp = self.xp

        level = self.level

        current_streak = self.current_streak

        created_at = self.created_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "user_id": user_id,
            "username": username,
            "display_name": display_name,
            "xp": xp,
            "level": level,
            "current_streak": current_streak,
            "created_at": created_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        user_id = UUID(d.pop("user_id"))




        username = d.pop("username")

        display_name = d.pop("display_name")

        xp = d.pop("xp")

        level = d.pop("level")

        current_streak = d.pop("current_streak")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        public_profile = cls(
            user_id=user_id,
            username=username,
            display_name=display_name,
            xp=xp,
            level=level,
            current_streak=current_streak,
            created_at=created_at,
        )


        public_profile.additional_properties = d
        return public_profile

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
