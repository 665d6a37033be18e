from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.rejected_event_status import RejectedEventStatus
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
  from ..models.rejected_event_event_payload import RejectedEventEventPayload





T = TypeVar("T", bound="RejectedEvent")



@_attrs_define
class RejectedEvent:
    """ A rejected event, including one that was retried.

     """

    event_id: UUID
    session_id: None | UUID
    event_type: None | str
    event_payload: RejectedEventEventPayload
    created_at: datetime.datetime | None
    client_id: None | str
    received_at: datetime.datetime
    status: RejectedEventStatus
    error_code: None | str
    message: None | str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.rejected_event_event_payload import RejectedEventEventPayload # noqa: PLC0415
        event_id = str(self.event_id)

        session_id: None | str
        if isinstance(self.session_id, UUID):
            session_id = str(self.session_id)
        else:
            session_id = self.session_id

        event_type: None | str
        event_type = self.event_type

        event_payload = self.event_payload.to_dict()

        created_at: None | str
        if isinstance(self.created_at, datetime.datetime):
            created_at = self.created_at.isoformat()
        else:
            created_at = self.created_at

        client_id: None | str
        client_id = self.client_id

        received_at = self.received_at.isoformat()

        status = self.status.value

        error_code: None | str
        error_code = self.error_code

        message: None | str
        message = self.message


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "event_id": event_id,
            "session_id": session_id,
            "event_type": event_type,
            "event_payload": event_payload,
            "created_at": created_at,
            "client_id": client_id,
            "received_at": received_at,
            "status": status,
            "error_code": error_code,
            "message": message,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.rejected_event_event_payload import RejectedEventEventPayload # noqa: PLC0415
        d = dict(src_dict)
        event_id = UUID(d.pop("event_id"))




        def _parse_session_id(data: object) -> None | UUID:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                session_id_type_0 = UUID(data)



                return session_id_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | UUID, data)

        session_id = _parse_session_id(d.pop("session_id"))


        def _parse_event_type(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        event_type = _parse_event_type(d.pop("event_type"))


        event_payload = RejectedEventEventPayload.from_dict(d.pop("event_payload"))




        def _parse_created_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                created_at_type_0 = datetime.datetime.fromisoformat(data)



                return created_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        created_at = _parse_created_at(d.pop("created_at"))


        def _parse_client_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        client_id = _parse_client_id(d.pop("client_id"))


        received_at = datetime.datetime.fromisoformat(d.pop("received_at"))




        status = RejectedEventStatus(d.pop("status"))




        def _parse_error_code(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        error_code = _parse_error_code(d.pop("error_code"))


        def _parse_message(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        message = _parse_message(d.pop("message"))


        rejected_event = cls(
            event_id=event_id,
            session_id=session_id,
            event_type=event_type,
            event_payload=event_payload,
            created_at=created_at,
            client_id=client_id,
            received_at=received_at,
            status=status,
            error_code=error_code,
            message=message,
        )


        rejected_event.additional_properties = d
        return rejected_event

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
