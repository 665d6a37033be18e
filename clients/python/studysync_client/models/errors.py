from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.errors_errors_by_type import ErrorsErrorsByType
  from ..models.seen_error import SeenError





T = TypeVar("T", bound="Errors")



@_attrs_define
class Errors:
    """ The errors of the last 24 hours: causes before consequences, the most frequent first.

     """

    complete: bool
    log: str
    """ Where to look for a request id: a Logs Insights query, or a file on the local stack. """
    total_errors: int
    unique_errors: int
    errors_by_type: ErrorsErrorsByType
    errors: list[SeenError]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.errors_errors_by_type import ErrorsErrorsByType # noqa: PLC0415
        from ..models.seen_error import SeenError # noqa: PLC0415
        complete = self.complete

        log = self.log

        total_errors = self.total_errors

        unique_errors = self.unique_errors

        errors_by_type = self.errors_by_type.to_dict()

        errors = []
        for errors_item_data in self.errors:
            errors_item = errors_item_data.to_dict()
            errors.append(errors_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "complete": complete,
            "log": log,
            "total_errors": total_errors,
            "unique_errors": unique_errors,
            "errors_by_type": errors_by_type,
            "errors": errors,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.errors_errors_by_type import ErrorsErrorsByType # noqa: PLC0415
        from ..models.seen_error import SeenError # noqa: PLC0415
        d = dict(src_dict)
        complete = d.pop("complete")

        log = d.pop("log")

        total_errors = d.pop("total_errors")

        unique_errors = d.pop("unique_errors")

        errors_by_type = ErrorsErrorsByType.from_dict(d.pop("errors_by_type"))




        errors = []
        _errors = d.pop("errors")
        for errors_item_data in (_errors):
            errors_item = SeenError.from_dict(errors_item_data)



            errors.append(errors_item)


        errors = cls(
            complete=complete,
            log=log,
            total_errors=total_errors,
            unique_errors=unique_errors,
            errors_by_type=errors_by_type,
            errors=errors,
        )


        errors.additional_properties = d
        return errors

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
