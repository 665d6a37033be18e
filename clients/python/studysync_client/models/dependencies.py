from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.dependencies_status import DependenciesStatus
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.dependencies_checks import DependenciesChecks





T = TypeVar("T", bound="Dependencies")



@_attrs_define
class Dependencies:
    """ The dependencies of the service.

     """

    status: DependenciesStatus
    checks: DependenciesChecks
    checked_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.dependencies_checks import DependenciesChecks # noqa: PLC0415
        status = self.status.value

        checks = self.checks.to_dict()

        checked_at = self.checked_at.isoformat()


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "status": status,
            "checks": checks,
            "checked_at": checked_at,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.dependencies_checks import DependenciesChecks # noqa: PLC0415
        d = dict(src_dict)
        status = DependenciesStatus(d.pop("status"))




        checks = DependenciesChecks.from_dict(d.pop("checks"))




        checked_at = datetime.datetime.fromisoformat(d.pop("checked_at"))




        dependencies = cls(
            status=status,
            checks=checks,
            checked_at=checked_at,
        )


        dependencies.additional_properties = d
        return dependencies

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
