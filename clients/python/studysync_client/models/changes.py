from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.badge_change import BadgeChange
  from ..models.membership_change import MembershipChange
  from ..models.profile_change import ProfileChange
  from ..models.session_change import SessionChange
  from ..models.xp_change import XpChange





T = TypeVar("T", bound="Changes")



@_attrs_define
class Changes:
    """ A page of changes. `next_cursor` is null if there are no more; use `cursor` for the next poll.

     """

    success: bool
    data: list[BadgeChange | MembershipChange | ProfileChange | SessionChange | XpChange]
    next_cursor: None | str
    cursor: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.badge_change import BadgeChange # noqa: PLC0415
        from ..models.membership_change import MembershipChange # noqa: PLC0415
        from ..models.profile_change import ProfileChange # noqa: PLC0415
        from ..models.session_change import SessionChange # noqa: PLC0415
        from ..models.xp_change import XpChange # noqa: PLC0415
        success = self.success

        data = []
        for data_item_data in self.data:
            data_item: dict[str, Any]
            if isinstance(data_item_data, SessionChange):
                data_item = data_item_data.to_dict()
            elif isinstance(data_item_data, XpChange):
                data_item = data_item_data.to_dict()
            elif isinstance(data_item_data, BadgeChange):
                data_item = data_item_data.to_dict()
            elif isinstance(data_item_data, MembershipChange):
                data_item = data_item_data.to_dict()
            else:
                data_item = data_item_data.to_dict()

            data.append(data_item)



        next_cursor: None | str
        next_cursor = self.next_cursor

        cursor = self.cursor


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "success": success,
            "data": data,
            "next_cursor": next_cursor,
            "cursor": cursor,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.badge_change import BadgeChange # noqa: PLC0415
        from ..models.membership_change import MembershipChange # noqa: PLC0415
        from ..models.profile_change import ProfileChange # noqa: PLC0415
        from ..models.session_change import SessionChange # noqa: PLC0415
        from ..models.xp_change import XpChange # noqa: PLC0415
        d = dict(src_dict)
        success = d.pop("success")

        data = []
        _data = d.pop("data")
        for data_item_data in (_data):
            def _parse_data_item(data: object) -> BadgeChange | MembershipChange | ProfileChange | SessionChange | XpChange:
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_change_type_0 = SessionChange.from_dict(data)



                    return componentsschemas_change_type_0
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_change_type_1 = XpChange.from_dict(data)



                    return componentsschemas_change_type_1
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_change_type_2 = BadgeChange.from_dict(data)



                    return componentsschemas_change_type_2
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_change_type_3 = MembershipChange.from_dict(data)



                    return componentsschemas_change_type_3
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_change_type_4 = ProfileChange.from_dict(data)



                return componentsschemas_change_type_4

            data_item = _parse_data_item(data_item_data)

            data.append(data_item)


        def _parse_next_cursor(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        next_cursor = _parse_next_cursor(d.pop("next_cursor"))


        cursor = d.pop("cursor")

        changes = cls(
            success=success,
            data=data,
            next_cursor=next_cursor,
            cursor=cursor,
        )


        changes.additional_properties = d
        return changes

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
