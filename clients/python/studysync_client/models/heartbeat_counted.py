from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.heartbeat_counted_status import HeartbeatCountedStatus
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="HeartbeatCounted")



@_attrs_define
class HeartbeatCounted:
    """ The result of a heartbeat.

     """

    session_id: UUID
    status: HeartbeatCountedStatus
    focus_seconds: int
    last_heartbeat_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        session_id = str(self.session_id)

        status = self.status.value

        focus_seconds = self.focus_seconds

        last_heartbeat_at = self.last_heartbeat_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "session_id": session_id,
            "status": status,
            "focus_seconds": focus_seconds,
            "last_heartbeat_at": last_heartbeat_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        session_id = UUID(d.pop("session_id"))




        status = HeartbeatCountedStatus(d.pop("status"))




        focus_seconds = d.pop("focus_seconds")

        last_heartbeat_at = datetime.datetime.fromisoformat(d.pop("last_heartbeat_at"))




        heartbeat_counted = cls(
            session_id=session_id,
            status=status,
            focus_seconds=focus_seconds,
            last_heartbeat_at=last_heartbeat_at,
        )


        heartbeat_counted.additional_properties = d
        return heartbeat_counted

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
