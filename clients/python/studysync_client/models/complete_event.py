from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.complete_event_event_type import CompleteEventEventType
from ..types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime

if TYPE_CHECKING:
  from ..models.complete_payload import CompletePayload





T = TypeVar("T", bound="CompleteEvent")



@_attrs_define
class CompleteEvent:
    """ An event that happened offline. Unknown fields are ignored, because old clients send them.

     """

    session_id: UUID
    event_type: CompleteEventEventType
    created_at: datetime.datetime
    """ From 1970 to 2200; without an offset, UTC. """
    event_id: UUID | Unset = UNSET
    """ Generate it when the event happens. """
    event_payload: CompletePayload | Unset = UNSET
    """ The payload of a `complete` event. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.complete_payload import CompletePayload # noqa: PLC0415
        session_id = str(self.session_id)

        event_type = self.event_type.value

        created_at = self.created_at.isoformat()

        event_id: str | Unset = UNSET
        if not isinstance(self.event_id, Unset):
            event_id = str(self.event_id)

        event_payload: dict[str, Any] | Unset = UNSET
        if not isinstance(self.event_payload, Unset):
            event_payload = self.event_payload.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "session_id": session_id,
            "event_type": event_type,
            "created_at": created_at,
        })
        if event_id is not UNSET:
            field_dict["event_id"] = event_id
        if event_payload is not UNSET:
            field_dict["event_payload"] = event_payload

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.complete_payload import CompletePayload # noqa: PLC0415
        d = dict(src_dict)
        session_id = UUID(d.pop("session_id"))




        event_type = CompleteEventEventType(d.pop("event_type"))




        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))




        _event_id = d.pop("event_id", UNSET)
        event_id: UUID | Unset
        if isinstance(_event_id,  Unset):
            event_id = UNSET
        else:
            event_id = UUID(_event_id)




        _event_payload = d.pop("event_payload", UNSET)
        event_payload: CompletePayload | Unset
        if isinstance(_event_payload,  Unset):
            event_payload = UNSET
        else:
            event_payload = CompletePayload.from_dict(_event_payload)




        complete_event = cls(
            session_id=session_id,
            event_type=event_type,
            created_at=created_at,
            event_id=event_id,
            event_payload=event_payload,
        )


        complete_event.additional_properties = d
        return complete_event

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
