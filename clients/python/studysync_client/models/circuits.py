from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.circuit import Circuit





T = TypeVar("T", bound="Circuits")



@_attrs_define
class Circuits:
    """ All circuits.

     """

    complete: bool
    """ False if DynamoDB does not answer; then this covers only one environment. """
    circuits: list[Circuit]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.circuit import Circuit # noqa: PLC0415
        complete = self.complete

        circuits = []
        for circuits_item_data in self.circuits:
            circuits_item = circuits_item_data.to_dict()
            circuits.append(circuits_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "complete": complete,
            "circuits": circuits,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.circuit import Circuit # noqa: PLC0415
        d = dict(src_dict)
        complete = d.pop("complete")

        circuits = []
        _circuits = d.pop("circuits")
        for circuits_item_data in (_circuits):
            circuits_item = Circuit.from_dict(circuits_item_data)



            circuits.append(circuits_item)


        circuits = cls(
            complete=complete,
            circuits=circuits,
        )


        circuits.additional_properties = d
        return circuits

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
