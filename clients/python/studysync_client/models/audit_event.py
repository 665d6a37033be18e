from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.audit_event_event_type import AuditEventEventType
from ..types import UNSET, Unset
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.audit_event_payload import AuditEventPayload





T = TypeVar("T", bound="AuditEvent")



@_attrs_define
class AuditEvent:
    """ An event of a session.

     """

    event_type: AuditEventEventType
    user_id: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    created_by: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    timestamp: datetime.datetime | None | Unset = UNSET
    """ By the client's clock; stored, but not trusted. """
    payload: AuditEventPayload | Unset = UNSET
    """ At most 4 KiB. """





    def to_dict(self) -> dict[str, Any]:
        from ..models.audit_event_payload import AuditEventPayload # noqa: PLC0415
        event_type = self.event_type.value

        user_id: None | str | Unset
        if isinstance(self.user_id, Unset):
            user_id = UNSET
        else:
            user_id = self.user_id

        created_by: None | str | Unset
        if isinstance(self.created_by, Unset):
            created_by = UNSET
        else:
            created_by = self.created_by

        timestamp: None | str | Unset
        if isinstance(self.timestamp, Unset):
            timestamp = UNSET
        elif isinstance(self.timestamp, datetime.datetime):
            timestamp = self.timestamp.isoformat()
        else:
            timestamp = self.timestamp

        payload: dict[str, Any] | Unset = UNSET
        if not isinstance(self.payload, Unset):
            payload = self.payload.to_dict()


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "event_type": event_type,
        })
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if created_by is not UNSET:
            field_dict["created_by"] = created_by
        if timestamp is not UNSET:
            field_dict["timestamp"] = timestamp
        if payload is not UNSET:
            field_dict["payload"] = payload

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.audit_event_payload import AuditEventPayload # noqa: PLC0415
        d = dict(src_dict)
        event_type = AuditEventEventType(d.pop("event_type"))




        def _parse_user_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user_id = _parse_user_id(d.pop("user_id", UNSET))


        def _parse_created_by(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        created_by = _parse_created_by(d.pop("created_by", UNSET))


        def _parse_timestamp(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                timestamp_type_0 = datetime.datetime.fromisoformat(data)



                return timestamp_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        timestamp = _parse_timestamp(d.pop("timestamp", UNSET))


        _payload = d.pop("payload", UNSET)
        payload: AuditEventPayload | Unset
        if isinstance(_payload,  Unset):
            payload = UNSET
        else:
            payload = AuditEventPayload.from_dict(_payload)




        audit_event = cls(
            event_type=event_type,
            user_id=user_id,
            created_by=created_by,
            timestamp=timestamp,
            payload=payload,
        )

        return audit_event

