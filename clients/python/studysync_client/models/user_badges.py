from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.available_badge import AvailableBadge
  from ..models.earned_badge import EarnedBadge





T = TypeVar("T", bound="UserBadges")



@_attrs_define
class UserBadges:
    """ A user's badges.

     """

    earned_badges: list[EarnedBadge]
    available_badges: list[AvailableBadge]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.available_badge import AvailableBadge # noqa: PLC0415
        from ..models.earned_badge import EarnedBadge # noqa: PLC0415
        earned_badges = []
        for earned_badges_item_data in self.earned_badges:
            earned_badges_item = earned_badges_item_data.to_dict()
            earned_badges.append(earned_badges_item)



        available_badges = []
        for available_badges_item_data in self.available_badges:
            available_badges_item = available_badges_item_data.to_dict()
            available_badges.append(available_badges_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "earned_badges": earned_badges,
            "available_badges": available_badges,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.available_badge import AvailableBadge # noqa: PLC0415
        from ..models.earned_badge import EarnedBadge # noqa: PLC0415
        d = dict(src_dict)
        earned_badges = []
        _earned_badges = d.pop("earned_badges")
        for earned_badges_item_data in (_earned_badges):
            earned_badges_item = EarnedBadge.from_dict(earned_badges_item_data)



            earned_badges.append(earned_badges_item)


        available_badges = []
        _available_badges = d.pop("available_badges")
        for available_badges_item_data in (_available_badges):
            available_badges_item = AvailableBadge.from_dict(available_badges_item_data)



            available_badges.append(available_badges_item)


        user_badges = cls(
            earned_badges=earned_badges,
            available_badges=available_badges,
        )


        user_badges.additional_properties = d
        return user_badges

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
