from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="OwnProfile")



@_attrs_define
class OwnProfile:
    """ Your own profile, including its private part.

     """

    user_id: UUID
    username: str
    display_name: str
    xp: int
    level: int
    current_streak: int
    """ In days. """
    created_at: datetime.datetime
    email: None | str
    timezone: str
    daily_goal_minutes: int
    email_confirmed: bool
    discoverable: bool
    share_activity: bool
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        user_id = str(self.user_id)

        username = self.username

        display_name = self.display_name

        xp = self.xp

        level = self.level

        current_streak = self.current_streak

        created_at = self.created_at.isoformat()

        email: None | str
        email = self.email

        timezone = self.timezone

        daily_goal_minutes = self.daily_goal_minutes

        email_confirmed = self.email_confirmed

        discoverable = self.discoverable

        share_activity = self.share_activity


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
            "email": email,
            "timezone": timezone,
            "daily_goal_minutes": daily_goal_minutes,
            "email_confirmed": email_confirmed,
            "discoverable": discoverable,
            "share_activity": share_activity,
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




        def _parse_email(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        email = _parse_email(d.pop("email"))


        timezone = d.pop("timezone")

        daily_goal_minutes = d.pop("daily_goal_minutes")

        email_confirmed = d.pop("email_confirmed")

        discoverable = d.pop("discoverable")

        share_activity = d.pop("share_activity")

        own_profile = cls(
            user_id=user_id,
            username=username,
            display_name=display_name,
            xp=xp,
            level=level,
            current_streak=current_streak,
            created_at=created_at,
            email=email,
            timezone=timezone,
            daily_goal_minutes=daily_goal_minutes,
            email_confirmed=email_confirmed,
            discoverable=discoverable,
            share_activity=share_activity,
        )


        own_profile.additional_properties = d
        return own_profile

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
