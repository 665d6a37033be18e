from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.processor import Processor
  from ..models.usage import Usage





T = TypeVar("T", bound="System")



@_attrs_define
class System:
    """ The execution environment that answered.

     """

    memory: Usage
    """ Use of memory or disk. """
    disk: Usage
    """ Use of memory or disk. """
    cpu: Processor
    """ Use of the processors. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.processor import Processor # noqa: PLC0415
        from ..models.usage import Usage # noqa: PLC0415
        memory = self.memory.to_dict()

        disk = self.disk.to_dict()

        cpu = self.cpu.to_dict()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "memory": memory,
            "disk": disk,
            "cpu": cpu,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.processor import Processor # noqa: PLC0415
        from ..models.usage import Usage # noqa: PLC0415
        d = dict(src_dict)
        memory = Usage.from_dict(d.pop("memory"))




        disk = Usage.from_dict(d.pop("disk"))




        cpu = Processor.from_dict(d.pop("cpu"))




        system = cls(
            memory=memory,
            disk=disk,
            cpu=cpu,
        )


        system.additional_properties = d
        return system

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
