from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.event_outcome import EventOutcome
  from ..models.session_completed import SessionCompleted





T = TypeVar("T", bound="SyncResult")



@_attrs_define
class SyncResult:
    """ The outcome of a batch.

     """

    synced_count: int
    duplicate_count: int
    rejected_count: int
    results: list[EventOutcome]
    """ One per event, in the order sent. """
    sessions: list[SessionCompleted]
    """ The outcome of every session that the batch completed or rated again. """
    clock_offset_seconds: int
    """ What was added to `created_at`: by how much the client's clock is behind. """
    cursor: str
    """ Where the account stood. Go on in `GET /api/sync/changes` from its own cursors, not from here. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.event_outcome import EventOutcome # noqa: PLC0415
        from ..models.session_completed import SessionCompleted # noqa: PLC0415
        synced_count = self.synced_count

        duplicate_count = self.duplicate_count

        rejected_count = self.rejected_count

        results = []
        for results_item_data in self.results:
            results_item = results_item_data.to_dict()
            results.append(results_item)



        sessions = []
        for sessions_item_data in self.sessions:
            sessions_item = sessions_item_data.to_dict()
            sessions.append(sessions_item)



        clock_offset_seconds = self.clock_offset_seconds

        cursor = self.cursor


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "synced_count": synced_count,
            "duplicate_count": duplicate_count,
            "rejected_count": rejected_count,
            "results": results,
            "sessions": sessions,
            "clock_offset_seconds": clock_offset_seconds,
            "cursor": cursor,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.event_outcome import EventOutcome # noqa: PLC0415
        from ..models.session_completed import SessionCompleted # noqa: PLC0415
        d = dict(src_dict)
        synced_count = d.pop("synced_count")

        duplicate_count = d.pop("duplicate_count")

        rejected_count = d.pop("rejected_count")

        results = []
        _results = d.pop("results")
        for results_item_data in (_results):
            results_item = EventOutcome.from_dict(results_item_data)



            results.append(results_item)


        sessions = []
        _sessions = d.pop("sessions")
        for sessions_item_data in (_sessions):
            sessions_item = SessionCompleted.from_dict(sessions_item_data)



            sessions.append(sessions_item)


        clock_offset_seconds = d.pop("clock_offset_seconds")

        cursor = d.pop("cursor")

        sync_result = cls(
            synced_count=synced_count,
            duplicate_count=duplicate_count,
            rejected_count=rejected_count,
            results=results,
            sessions=sessions,
            clock_offset_seconds=clock_offset_seconds,
            cursor=cursor,
        )


        sync_result.additional_properties = d
        return sync_result

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
