from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast






T = TypeVar("T", bound="ProfileChanges")



@_attrs_define
class ProfileChanges:
    """ The fields to change. Omitted fields keep their values.

     """

    user_id: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    created_by: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    username: str | Unset = UNSET
    display_name: str | Unset = UNSET
    timezone: str | Unset = UNSET
    daily_goal_minutes: int | Unset = UNSET
    discoverable: bool | Unset = UNSET
    """ Whether other users can find you by searching. """
    share_activity: bool | Unset = UNSET
    """ Whether other users can see when you study. """





    def to_dict(self) -> dict[str, Any]:
        user_id: None | str | Unset
        if isinstance(self.user_id, Unset):
            user_id = UNSET
        else:
            user_id = self.user_id

        created_by: None | str | Unset
        if isinstance(self.created_by, Unset):
            created_by = UNSET
        else:
            created_by = self.created_by

        username = self.username

        display_name = self.display_name

        timezone = self.timezone

        daily_goal_minutes = self.daily_goal_minutes

        discoverable = self.discoverable

        share_activity = self.share_activity


        field_dict: dict[str, Any] = {}

        field_dict.update({
        })
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if created_by is not UNSET:
            field_dict["created_by"] = created_by
        if username is not UNSET:
            field_dict["username"] = username
        if display_name is not UNSET:
            field_dict["display_name"] = display_name
        if timezone is not UNSET:
            field_dict["timezone"] = timezone
        if daily_goal_minutes is not UNSET:
            field_dict["daily_goal_minutes"] = daily_goal_minutes
        if discoverable is not UNSET:
            field_dict["discoverable"] = discoverable
        if share_activity is not UNSET:
            field_dict["share_activity"] = share_activity

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        def _parse_user_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user_id = _parse_user_id(d.pop("user_id", UNSET))


        def _parse_created_by(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        created_by = _parse_created_by(d.pop("created_by", UNSET))


        username = d.pop("username", UNSET)

        display_name = d.pop("display_name", UNSET)

        timezone = d.pop("timezone", UNSET)

        daily_goal_minutes = d.pop("daily_goal_minutes", UNSET)

        discoverable = d.pop("discoverable", UNSET)

        share_activity = d.pop("share_activity", UNSET)

        profile_changes = cls(
            user_id=user_id,
            created_by=created_by,
            username=username,
            display_name=display_name,
            timezone=timezone,
            daily_goal_minutes=daily_goal_minutes,
            discoverable=discoverable,
            share_activity=share_activity,
        )

        return profile_changes

