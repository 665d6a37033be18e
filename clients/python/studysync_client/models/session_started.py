from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.session_started_status import SessionStartedStatus
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="SessionStarted")



@_attrs_define
class SessionStarted:
    """ An active session.

     """

    session_id: UUID
    status: SessionStartedStatus
    started_at: datetime.datetime
    planned_end_at: datetime.datetime
    duration_minutes: int
    subject: None | str
    space_id: None | UUID
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        session_id = str(self.session_id)

        status = self.status.value

        started_at = self.started_at.isoformat()

        planned_end_at = self.planned_end_at.isoformat()

        duration_minutes = self.duration_minutes

        subject: None | str
        subject = self.subject

        space_id: None | str
        if isinstance(self.space_id, UUID):
            space_id = str(self.space_id)
        else:
            space_id = self.space_id


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "session_id": session_id,
            "status": status,
            "started_at": started_at,
            "planned_end_at": planned_end_at,
            "duration_minutes": duration_minutes,
            "subject": subject,
            "space_id": space_id,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        session_id = UUID(d.pop("session_id"))




        status = SessionStartedStatus(d.pop("status"))




        started_at = datetime.datetime.fromisoformat(d.pop("started_at"))




        planned_end_at = datetime.datetime.fromisoformat(d.pop("planned_end_at"))




        duration_minutes = d.pop("duration_minutes")

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


        session_started = cls(
            session_id=session_id,
            status=status,
            started_at=started_at,
            planned_end_at=planned_end_at,
            duration_minutes=duration_minutes,
            subject=subject,
            space_id=space_id,
        )


        session_started.additional_properties = d
        return session_started

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
