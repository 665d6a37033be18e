from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="Streaks")



@_attrs_define
class Streaks:
    """ A user's streak, in days of the profile's time zone.

     """

    user_id: UUID
    current_streak: int
    best_streak: int
    last_active_date: datetime.date | None
    active_today: bool
    at_risk: bool
    """ True if the streak ends tonight unless you complete a session. """
    bonus_xp: int
    """ The XP that the streak adds to each session. """
    next_milestone: int | None
    """ The next streak length that earns a badge; null after the last. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        user_id = str(self.user_id)

        current_streak = self.current_streak

        best_streak = self.best_streak

        last_active_date: None | str
        if isinstance(self.last_active_date, datetime.date):
            last_active_date = self.last_active_date.isoformat()
        else:
            last_active_date = self.last_active_date

        active_today = self.active_today

        at_risk = self.at_risk

        bonus_xp = self.bonus_xp

        next_milestone: int | None
        next_milestone = self.next_milestone


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "user_id": user_id,
            "current_streak": current_streak,
            "best_streak": best_streak,
            "last_active_date": last_active_date,
            "active_today": active_today,
            "at_risk": at_risk,
            "bonus_xp": bonus_xp,
            "next_milestone": next_milestone,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        user_id = UUID(d.pop("user_id"))




        current_streak = d.pop("current_streak")

        best_streak = d.pop("best_streak")

        def _parse_last_active_date(data: object) -> datetime.date | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                last_active_date_type_0 = datetime.date.fromisoformat(data)



                return last_active_date_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.date | None, data)

        last_active_date = _parse_last_active_date(d.pop("last_active_date"))


        active_today = d.pop("active_today")

        at_risk = d.pop("at_risk")

        bonus_xp = d.pop("bonus_xp")

        def _parse_next_milestone(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        next_milestone = _parse_next_milestone(d.pop("next_milestone"))


        streaks = cls(
            user_id=user_id,
            current_streak=current_streak,
            best_streak=best_streak,
            last_active_date=last_active_date,
            active_today=active_today,
            at_risk=at_risk,
            bonus_xp=bonus_xp,
            next_milestone=next_milestone,
        )


        streaks.additional_properties = d
        return streaks

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
