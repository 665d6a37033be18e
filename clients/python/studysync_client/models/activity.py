from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.activity_activity_type import ActivityActivityType
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
  from ..models.activity_details import ActivityDetails





T = TypeVar("T", bound="Activity")



@_attrs_define
class Activity:
    """ An event in a space.

     """

    activity_id: int
    activity_type: ActivityActivityType
    user_id: UUID
    username: str
    details: ActivityDetails
    occurred_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.activity_details import ActivityDetails # noqa: PLC0415
        activity_id = self.activity_id

        activity_type = self.activity_type.value

        user_id = str(self.user_id)

        username = self.username

        details = self.details.to_dict()

        occurred_at = self.occurred_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "activity_id": activity_id,
            "activity_type": activity_type,
            "user_id": user_id,
            "username": username,
            "details": details,
            "occurred_at": occurred_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.activity_details import ActivityDetails # noqa: PLC0415
        d = dict(src_dict)
        activity_id = d.pop("activity_id")

        activity_type = ActivityActivityType(d.pop("activity_type"))




        user_id = UUID(d.pop("user_id"))




        username = d.pop("username")

        details = ActivityDetails.from_dict(d.pop("details"))




        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))




        activity = cls(
            activity_id=activity_id,
            activity_type=activity_type,
            user_id=user_id,
            username=username,
            details=details,
            occurred_at=occurred_at,
        )


        activity.additional_properties = d
        return activity

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
