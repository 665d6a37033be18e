from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.exported_row_row import ExportedRowRow





T = TypeVar("T", bound="ExportedRow")



@_attrs_define
class ExportedRow:
    """ A row of data stored about you.

     """

    table: str
    row: ExportedRowRow
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.exported_row_row import ExportedRowRow # noqa: PLC0415
        table = self.table

        row = self.row.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "table": table,
            "row": row,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.exported_row_row import ExportedRowRow # noqa: PLC0415
        d = dict(src_dict)
        table = d.pop("table")

        row = ExportedRowRow.from_dict(d.pop("row"))




        exported_row = cls(
            table=table,
            row=row,
        )


        exported_row.additional_properties = d
        return exported_row

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
