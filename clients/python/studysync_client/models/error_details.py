from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
from uuid import UUID

if TYPE_CHECKING:
  from ..models.validation_detail import ValidationDetail





T = TypeVar("T", bound="ErrorDetails")



@_attrs_define
class ErrorDetails:
    """ Details for programs; the fields depend on the error code.

     """

    validation_errors: list[ValidationDetail] | Unset = UNSET
    """ The first invalid fields. Without it: []. """
    error_count: int | Unset = UNSET
    """ The total number of invalid fields. Without it: 0. """
    session_id: UUID | Unset = UNSET
    """ SESSION_ALREADY_ACTIVE, CONFLICT: the session in conflict. """
    field: str | Unset = UNSET
    """ CONFLICT, USER_ALREADY_EXISTS and others: the conflicting field. """
    capacity: int | Unset = UNSET
    """ SPACE_FULL: the maximum number of members. """
    max_spaces: int | Unset = UNSET
    """ TOO_MANY_SPACES: the maximum number of spaces per account. """
    max_events: int | Unset = UNSET
    """ REQUEST_TOO_LARGE: the maximum number of events in a batch. """
    max_request_bytes: int | Unset = UNSET
    """ REQUEST_TOO_LARGE: the maximum size of a body in bytes. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.validation_detail import ValidationDetail # noqa: PLC0415
        validation_errors: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.validation_errors, Unset):
            validation_errors = []
            for validation_errors_item_data in self.validation_errors:
                validation_errors_item = validation_errors_item_data.to_dict()
                validation_errors.append(validation_errors_item)



        error_count = self.error_count

        session_id: str | Unset = UNSET
        if not isinstance(self.session_id, Unset):
            session_id = str(self.session_id)

        field = self.field

        capacity = self.capacity

        max_spaces = self.max_spaces

        max_events = self.max_events

        max_request_bytes = self.max_request_bytes


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
        })
        if validation_errors is not UNSET:
            field_dict["validation_errors"] = validation_errors
        if error_count is not UNSET:
            field_dict["error_count"] = error_count
        if session_id is not UNSET:
            field_dict["session_id"] = session_id
        if field is not UNSET:
            field_dict["field"] = field
        if capacity is not UNSET:
            field_dict["capacity"] = capacity
        if max_spaces is not UNSET:
            field_dict["max_spaces"] = max_spaces
        if max_events is not UNSET:
            field_dict["max_events"] = max_events
        if max_request_bytes is not UNSET:
            field_dict["max_request_bytes"] = max_request_bytes

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.validation_detail import ValidationDetail # noqa: PLC0415
        d = dict(src_dict)
        _validation_errors = d.pop("validation_errors", UNSET)
        validation_errors: list[ValidationDetail] | Unset = UNSET
        if _validation_errors is not UNSET:
            validation_errors = []
            for validation_errors_item_data in _validation_errors:
                validation_errors_item = ValidationDetail.from_dict(validation_errors_item_data)



                validation_errors.append(validation_errors_item)


        error_count = d.pop("error_count", UNSET)

        _session_id = d.pop("session_id", UNSET)
        session_id: UUID | Unset
        if isinstance(_session_id,  Unset):
            session_id = UNSET
        else:
            session_id = UUID(_session_id)




        field = d.pop("field", UNSET)

        capacity = d.pop("capacity", UNSET)

        max_spaces = d.pop("max_spaces", UNSET)

        max_events = d.pop("max_events", UNSET)

        max_request_bytes = d.pop("max_request_bytes", UNSET)

        error_details = cls(
            validation_errors=validation_errors,
            error_count=error_count,
            session_id=session_id,
            field=field,
            capacity=capacity,
            max_spaces=max_spaces,
            max_events=max_events,
            max_request_bytes=max_request_bytes,
        )


        error_details.additional_properties = d
        return error_details

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
