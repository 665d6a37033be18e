from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.audit_entry_action import AuditEntryAction
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.audit_entry_changes import AuditEntryChanges





T = TypeVar("T", bound="AuditEntry")



@_attrs_define
class AuditEntry:
    """ An action of the user, or a change to the user's data.

     """

    entry_id: int
    """ Unique; negative for entries about sessions. Sorted by time, not by id. """
    action: AuditEntryAction
    operation: str
    resource_type: str
    resource_id: None | str
    success: bool
    changes: AuditEntryChanges
    """ The new values by field. """
    occurred_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.audit_entry_changes import AuditEntryChanges # noqa: PLC0415
        entry_id = self.entry_id

        action = self.action.value

        operation = self.operation

        resource_type = self.resource_type

        resource_id: None | str
        resource_id = self.resource_id

        success = self.success

        changes = self.changes.to_dict()

        occurred_at = self.occurred_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "entry_id": entry_id,
            "action": action,
            "operation": operation,
            "resource_type": resource_type,
            "resource_id": resource_id,
            "success": success,
            "changes": changes,
            "occurred_at": occurred_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.audit_entry_changes import AuditEntryChanges # noqa: PLC0415
        d = dict(src_dict)
        entry_id = d.pop("entry_id")

        action = AuditEntryAction(d.pop("action"))




        operation = d.pop("operation")

        resource_type = d.pop("resource_type")

        def _parse_resource_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        resource_id = _parse_resource_id(d.pop("resource_id"))


        success = d.pop("success")

        changes = AuditEntryChanges.from_dict(d.pop("changes"))




        occurred_at = datetime.datetime.fromisoformat(d.pop("occurred_at"))




        audit_entry = cls(
            entry_id=entry_id,
            action=action,
            operation=operation,
            resource_type=resource_type,
            resource_id=resource_id,
            success=success,
            changes=changes,
            occurred_at=occurred_at,
        )


        audit_entry.additional_properties = d
        return audit_entry

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
