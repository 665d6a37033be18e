from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.session_completed_status import SessionCompletedStatus
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
  from ..models.session_completed_xp_breakdown import SessionCompletedXpBreakdown





T = TypeVar("T", bound="SessionCompleted")



@_attrs_define
class SessionCompleted:
    """ The XP and badges that a completed session earned.

     """

    session_id: UUID
    status: SessionCompletedStatus
    ended_at: datetime.datetime
    focus_seconds: int
    clipped_seconds: int
    """ Studied while another session was, and credited to that. """
    xp_awarded: int
    xp_breakdown: SessionCompletedXpBreakdown
    """ XP by source; the sum is `xp_awarded`. """
    total_xp: int
    level: int
    leveled_up: bool
    current_streak: int
    """ Days. """
    new_badges: list[str]
    suspicion_score: int
    flagged: bool
    held: bool
    """ Flagged in strict mode, so it earns no XP. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.session_completed_xp_breakdown import SessionCompletedXpBreakdown # noqa: PLC0415
        session_id = str(self.session_id)

        status = self.status.value

        ended_at = self.ended_at.isoformat()

        focus_seconds = self.focus_seconds

        clipped_seconds = self.clipped_seconds

        xp_awarded = self.xp_awarded

        xp_breakdown = self.xp_breakdown.to_dict()

        total_xp = self.total_xp

        level = self.level

        leveled_up = self.leveled_up

        current_streak = self.current_streak

        new_badges = self.new_badges



        suspicion_score = self.suspicion_score

        flagged = self.flagged

        held = self.held


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "session_id": session_id,
            "status": status,
            "ended_at": ended_at,
            "focus_seconds": focus_seconds,
            "clipped_seconds": clipped_seconds,
            "xp_awarded": xp_awarded,
            "xp_breakdown": xp_breakdown,
            "total_xp": total_xp,
            "level": level,
            "leveled_up": leveled_up,
            "current_streak": current_streak,
            "new_badges": new_badges,
            "suspicion_score": suspicion_score,
            "flagged": flagged,
            "held": held,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.session_completed_xp_breakdown import SessionCompletedXpBreakdown # noqa: PLC0415
        d = dict(src_dict)
        session_id = UUID(d.pop("session_id"))




        status = SessionCompletedStatus(d.pop("status"))




        ended_at = datetime.datetime.fromisoformat(d.pop("ended_at"))




        focus_seconds = d.pop("focus_seconds")

        clipped_seconds = d.pop("clipped_seconds")

        xp_awarded = d.pop("xp_awarded")

        xp_breakdown = SessionCompletedXpBreakdown.from_dict(d.pop("xp_breakdown"))




        total_xp = d.pop("total_xp")

        level = d.pop("level")

        leveled_up = d.pop("leveled_up")

        current_streak = d.pop("current_streak")

        new_badges = cast(list[str], d.pop("new_badges"))


        suspicion_score = d.pop("suspicion_score")

        flagged = d.pop("flagged")

        held = d.pop("held")

        session_completed = cls(
            session_id=session_id,
            status=status,
            ended_at=ended_at,
            focus_seconds=focus_seconds,
            clipped_seconds=clipped_seconds,
            xp_awarded=xp_awarded,
            xp_breakdown=xp_breakdown,
            total_xp=total_xp,
            level=level,
            leveled_up=leveled_up,
            current_streak=current_streak,
            new_badges=new_badges,
            suspicion_score=suspicion_score,
            flagged=flagged,
            held=held,
        )


        session_completed.additional_properties = d
        return session_completed

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
