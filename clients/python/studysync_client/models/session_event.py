from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.session_event_source import SessionEventSource
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
  from ..models.session_event_payload import SessionEventPayload





T = TypeVar("T", bound="SessionEvent")



@_attrs_define
class SessionEvent:
    """ A recorded event of a session.

     """

    event_id: UUID
    session_id: UUID
    event_type: str
    source: SessionEventSource
    occurred_at: datetime.datetime
    """ The server's clock. """
    timestamp: datetime.datetime | None
    """ The client's clock. """
    payload: SessionEventPayload
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.session_event_payload import SessionEventPayload # noqa: PLC0415
        event_id = str(self.event_id)

        session_id = str(self.session_id)

        event_type = self.event_type

        source = self.source.value

        occurred_at = self.occurred_at.isoformat()

        timestamp: None | str
        if isinstance(self.timestamp, datetime.datetime):
            timestamp = self.timestamp.isoformat()
        else:
            timestamp = self.timestamp

        payload = self.payload.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "event_id": event_id,
            "session_id": session_id,
            "event_type": event_type,
            "source": source,
            "occurred_at": occurred_at,
            "timestamp": timestamp,
            "payload": payload,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.session_event_payload import SessionEventPayload # noqa: PLC0415
        d = dict(src_dict)
        event_id = UUID(d.pop("event_id"))




        session_id = UUID(d.pop("session_id"))




        event_type = d.pop("event_type")

        source = SessionEventSource(d.pop("source"))




        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))




        def _parse_timestamp(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                timestamp_type_0 = datetime.datetime.fromisoformat(data)



                return timestamp_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        timestamp = _parse_timestamp(d.pop("timestamp"))


        payload = SessionEventPayload.from_dict(d.pop("payload"))




        session_event = cls(
            event_id=event_id,
            session_id=session_id,
            event_type=event_type,
            source=source,
            occurred_at=occurred_at,
            timestamp=timestamp,
            payload=payload,
        )


        session_event.additional_properties = d
        return session_event

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
