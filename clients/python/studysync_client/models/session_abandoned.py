from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.session_abandoned_status import SessionAbandonedStatus
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="SessionAbandoned")



@_attrs_define
class SessionAbandoned:
    """ A session that ended without XP.

     """

    session_id: UUID
    status: SessionAbandonedStatus
    """ Completed where it had been paid before. """
    ended_at: datetime.datetime
    focus_seconds: int
    clipped_seconds: int
    xp_awarded: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        session_id = str(self.session_id)

        status = self.status.value

        ended_at = self.ended_at.isoformat()

        focus_seconds = self.focus_seconds

        clipped_seconds = self.clipped_seconds

        xp_awarded = self.xp_awarded


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "session_id": session_id,
            "status": status,
            "ended_at": ended_at,
            "focus_seconds": focus_seconds,
            "clipped_seconds": clipped_seconds,
            "xp_awarded": xp_awarded,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        session_id = UUID(d.pop("session_id"))




        status = SessionAbandonedStatus(d.pop("status"))




        ended_at = datetime.datetime.fromisoformat(d.pop("ended_at"))




        focus_seconds = d.pop("focus_seconds")

        clipped_seconds = d.pop("clipped_seconds")

        xp_awarded = d.pop("xp_awarded")

        session_abandoned = cls(
            session_id=session_id,
            status=status,
            ended_at=ended_at,
            focus_seconds=focus_seconds,
            clipped_seconds=clipped_seconds,
            xp_awarded=xp_awarded,
        )


        session_abandoned.additional_properties = d
        return session_abandoned

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
