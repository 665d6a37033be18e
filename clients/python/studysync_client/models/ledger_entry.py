from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="LedgerEntry")



@_attrs_define
class LedgerEntry:
    """ One award.

     """

    entry_id: int
    amount: int
    source: str
    session_id: UUID
    milestone: int | None
    """ The XP from sessions that reached the milestone. """
    day: datetime.date
    """ The user's local day. """
    occurred_at: datetime.datetime
    created_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        entry_id = self.entry_id

        amount = self.amount

        source = self.source

        session_id = str(self.session_id)

        milestone: int | None
        milestone = self.milestone

        day = self.day.isoformat()

        occurred_at = self.occurred_at.isoformat()

        created_at = self.created_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "entry_id": entry_id,
            "amount": amount,
            "source": source,
            "session_id": session_id,
            "milestone": milestone,
            "day": day,
            "occurred_at": occurred_at,
            "created_at": created_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        entry_id = d.pop("entry_id")

        amount = d.pop("amount")

        source = d.pop("source")

        session_id = UUID(d.pop("session_id"))




        def _parse_milestone(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        milestone = _parse_milestone(d.pop("milestone"))


        day = datetime.date.fromisoformat(d.pop("day"))




        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))




        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        ledger_entry = cls(
            entry_id=entry_id,
            amount=amount,
            source=source,
            session_id=session_id,
            milestone=milestone,
            day=day,
            occurred_at=occurred_at,
            created_at=created_at,
        )


        ledger_entry.additional_properties = d
        return ledger_entry

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
