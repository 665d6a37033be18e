from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.complete_event import CompleteEvent
  from ..models.mark_event import MarkEvent
  from ..models.start_event import StartEvent





T = TypeVar("T", bound="SyncBatch")



@_attrs_define
class SyncBatch:
    """ A batch of events. An invalid event is rejected; the others are applied.

     """

    events: list[CompleteEvent | MarkEvent | StartEvent]
    user_id: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    created_by: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    client_id: None | str | Unset = UNSET
    sent_at: datetime.datetime | None | Unset = UNSET
    """ The client's clock at sending; corrects created_at. """
    last_sync: Any | Unset = UNSET
    """ Sent by old clients; ignored. """





    def to_dict(self) -> dict[str, Any]:
        from ..models.complete_event import CompleteEvent # noqa: PLC0415
        from ..models.mark_event import MarkEvent # noqa: PLC0415
        from ..models.start_event import StartEvent # noqa: PLC0415
        events = []
        for events_item_data in self.events:
            events_item: dict[str, Any]
            if isinstance(events_item_data, StartEvent):
                events_item = events_item_data.to_dict()
            elif isinstance(events_item_data, MarkEvent):
                events_item = events_item_data.to_dict()
            else:
                events_item = events_item_data.to_dict()

            events.append(events_item)



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

        client_id: None | str | Unset
        if isinstance(self.client_id, Unset):
            client_id = UNSET
        else:
            client_id = self.client_id

        sent_at: None | str | Unset
        if isinstance(self.sent_at, Unset):
            sent_at = UNSET
        elif isinstance(self.sent_at, datetime.datetime):
            sent_at = self.sent_at.isoformat()
        else:
            sent_at = self.sent_at

        last_sync = self.last_sync


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "events": events,
        })
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if created_by is not UNSET:
            field_dict["created_by"] = created_by
        if client_id is not UNSET:
            field_dict["client_id"] = client_id
        if sent_at is not UNSET:
            field_dict["sent_at"] = sent_at
        if last_sync is not UNSET:
            field_dict["last_sync"] = last_sync

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.complete_event import CompleteEvent # noqa: PLC0415
        from ..models.mark_event import MarkEvent # noqa: PLC0415
        from ..models.start_event import StartEvent # noqa: PLC0415
        d = dict(src_dict)
        events = []
        _events = d.pop("events")
        for events_item_data in (_events):
            def _parse_events_item(data: object) -> CompleteEvent | MarkEvent | StartEvent:
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_offline_event_type_0 = StartEvent.from_dict(data)



                    return componentsschemas_offline_event_type_0
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                try:
                    if not isinstance(data, dict):
                        raise TypeError()
                    componentsschemas_offline_event_type_1 = MarkEvent.from_dict(data)



                    return componentsschemas_offline_event_type_1
                except (TypeError, ValueError, AttributeError, KeyError):
                    pass
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_offline_event_type_2 = CompleteEvent.from_dict(data)



                return componentsschemas_offline_event_type_2

            events_item = _parse_events_item(events_item_data)

            events.append(events_item)


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


        def _parse_client_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        client_id = _parse_client_id(d.pop("client_id", UNSET))


        def _parse_sent_at(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                sent_at_type_0 = datetime.datetime.fromisoformat(data)



                return sent_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        sent_at = _parse_sent_at(d.pop("sent_at", UNSET))


        last_sync = d.pop("last_sync", UNSET)

        sync_batch = cls(
            events=events,
            user_id=user_id,
            created_by=created_by,
            client_id=client_id,
            sent_at=sent_at,
            last_sync=last_sync,
        )

        return sync_batch

