from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.environment import Environment





T = TypeVar("T", bound="Environments")



@_attrs_define
class Environments:
    """ The execution environments of the last 15 minutes, busiest first.

     """

    window_minutes: int
    complete: bool
    """ False if DynamoDB does not answer; then this covers only one environment. """
    environments: list[Environment]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.environment import Environment # noqa: PLC0415
        window_minutes = self.window_minutes

        complete = self.complete

        environments = []
        for environments_item_data in self.environments:
            environments_item = environments_item_data.to_dict()
            environments.append(environments_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "window_minutes": window_minutes,
            "complete": complete,
            "environments": environments,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.environment import Environment # noqa: PLC0415
        d = dict(src_dict)
        window_minutes = d.pop("window_minutes")

        complete = d.pop("complete")

        environments = []
        _environments = d.pop("environments")
        for environments_item_data in (_environments):
            environments_item = Environment.from_dict(environments_item_data)



            environments.append(environments_item)


        environments = cls(
            window_minutes=window_minutes,
            complete=complete,
            environments=environments,
        )


        environments.additional_properties = d
        return environments

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
