from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.session_status import SessionStatus
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="Session")



@_attrs_define
class Session:
    """ The current state of a session.

     """

    session_id: UUID
    status: SessionStatus
    subject: None | str
    space_id: None | UUID
    duration_minutes: int
    started_at: datetime.datetime
    ended_at: datetime.datetime | None
    last_heartbeat_at: datetime.datetime | None
    focus_seconds: int
    clipped_seconds: int
    """ Studied while another session was, and credited to that. """
    efficiency: float | None
    xp_awarded: int
    suspicion_score: int
    flagged: bool
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        session_id = str(self.session_id)

        status = self.status.value

        subject: None | str
        subject = self.subject

        space_id: None | str
        if isinstance(self.space_id, UUID):
            space_id = str(self.space_id)
        else:
            space_id = self.space_id

        duration_minutes = self.duration_minutes

        started_at = self.started_at.isoformat()

        ended_at: None | str
        if isinstance(self.ended_at, datetime.datetime):
            ended_at = self.ended_at.isoformat()
        else:
            ended_at = self.ended_at

        last_heartbeat_at: None | str
        if isinstance(self.last_heartbeat_at, datetime.datetime):
            last_heartbeat_at = self.last_heartbeat_at.isoformat()
        else:
            last_heartbeat_at = self.last_heartbeat_at

        focus_seconds = self.focus_seconds

        clipped_seconds = self.clipped_seconds

        efficiency: float | None
        efficiency = self.efficiency

        xp_awarded = self.xp_awarded

        suspicion_score = self.suspicion_score

        flagged = self.flagged


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "session_id": session_id,
            "status": status,
            "subject": subject,
            "space_id": space_id,
            "duration_minutes": duration_minutes,
            "started_at": started_at,
            "ended_at": ended_at,
            "last_heartbeat_at": last_heartbeat_at,
            "focus_seconds": focus_seconds,
            "clipped_seconds": clipped_seconds,
            "efficiency": efficiency,
            "xp_awarded": xp_awarded,
            "suspicion_score": suspicion_score,
            "flagged": flagged,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        session_id = UUID(d.pop("session_id"))




        status = SessionStatus(d.pop("status"))




        def _parse_subject(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        subject = _parse_subject(d.pop("subject"))


        def _parse_space_id(data: object) -> None | UUID:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                space_id_type_0 = UUID(data)



                return space_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | UUID, data)

        space_id = _parse_space_id(d.pop("space_id"))


        duration_minutes = d.pop("duration_minutes")

        started_at = datetime.datetime.fromisoformat(d.pop("started_at"))




        def _parse_ended_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                ended_at_type_0 = datetime.datetime.fromisoformat(data)



                return ended_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        ended_at = _parse_ended_at(d.pop("ended_at"))


        def _parse_last_heartbeat_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                last_heartbeat_at_type_0 = datetime.datetime.fromisoformat(data)



                return last_heartbeat_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        last_heartbeat_at = _parse_last_heartbeat_at(d.pop("last_heartbeat_at"))


        focus_seconds = d.pop("focus_seconds")

        clipped_seconds = d.pop("clipped_seconds")

        def _parse_efficiency(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        efficiency = _parse_efficiency(d.pop("efficiency"))


        xp_awarded = d.pop("xp_awarded")

        suspicion_score = d.pop("suspicion_score")

        flagged = d.pop("flagged")

        session = cls(
            session_id=session_id,
            status=status,
            subject=subject,
            space_id=space_id,
            duration_minutes=duration_minutes,
            started_at=started_at,
            ended_at=ended_at,
            last_heartbeat_at=last_heartbeat_at,
            focus_seconds=focus_seconds,
            clipped_seconds=clipped_seconds,
            efficiency=efficiency,
            xp_awarded=xp_awarded,
            suspicion_score=suspicion_score,
            flagged=flagged,
        )


        session.additional_properties = d
        return session

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
