from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.period import Period
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.leaderboard_entry import LeaderboardEntry
  from ..models.own_place import OwnPlace





T = TypeVar("T", bound="Leaderboard")



@_attrs_define
class Leaderboard:
    """ A page of a leaderboard. Users with equal XP share the higher rank.

     """

    period: Period
    """ The period of a leaderboard: an ISO week, a calendar month (both in UTC), or all time. """
    period_start: datetime.date
    entries: list[LeaderboardEntry]
    me: OwnPlace
    """ The caller's own place; `rank` is null without XP in the period. """
    total_users: int
    generated_at: datetime.datetime
    next_cursor: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.leaderboard_entry import LeaderboardEntry # noqa: PLC0415
        from ..models.own_place import OwnPlace # noqa: PLC0415
        period = self.period.value

        period_start = self.period_start.isoformat()

        entries = []
        for entries_item_data in self.entries:
            entries_item = entries_item_data.to_dict()
            entries.append(entries_item)



        me = self.me.to_dict()

        total_users = self.total_users

        generated_at = self.generated_at.isoformat()

        next_cursor: None | str
        next_cursor = self.next_cursor


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "period": period,
            "period_start": period_start,
            "entries": entries,
            "me": me,
            "total_users": total_users,
            "generated_at": generated_at,
            "next_cursor": next_cursor,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.leaderboard_entry import LeaderboardEntry # noqa: PLC0415
        from ..models.own_place import OwnPlace # noqa: PLC0415
        d = dict(src_dict)
        period = Period(d.pop("period"))




        period_start = datetime.date.fromisoformat(d.pop("period_start"))




        entries = []
        _entries = d.pop("entries")
        for entries_item_data in (_entries):
            entries_item = LeaderboardEntry.from_dict(entries_item_data)



            entries.append(entries_item)


        me = OwnPlace.from_dict(d.pop("me"))




        total_users = d.pop("total_users")

        generated_at = datetime.datetime.fromisoformat(d.pop("generated_at"))




        def _parse_next_cursor(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        next_cursor = _parse_next_cursor(d.pop("next_cursor"))


        leaderboard = cls(
            period=period,
            period_start=period_start,
            entries=entries,
            me=me,
            total_users=total_users,
            generated_at=generated_at,
            next_cursor=next_cursor,
        )


        leaderboard.additional_properties = d
        return leaderboard

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
