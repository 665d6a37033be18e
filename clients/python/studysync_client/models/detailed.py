from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.detailed_status import DetailedStatus
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.circuit import Circuit
  from ..models.detailed_checks import DetailedChecks
  from ..models.system import System





T = TypeVar("T", bound="Detailed")



@_attrs_define
class Detailed:
    """ The results of all checks. `warn` means degraded, but still serving.

     """

    status: DetailedStatus
    checks: DetailedChecks
    checked_at: datetime.datetime
    version: str
    function_version: str
    stage: str
    uptime_seconds: float
    system: System
    """ The execution environment that answered. """
    circuits: list[Circuit]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.circuit import Circuit # noqa: PLC0415
        from ..models.detailed_checks import DetailedChecks # noqa: PLC0415
        from ..models.system import System # noqa: PLC0415
        status = self.status.value

        checks = self.checks.to_dict()

        checked_at = self.checked_at.isoformat()

        version = self.version

        function_version = self.function_version

        stage = self.stage

        uptime_seconds = self.uptime_seconds

        system = self.system.to_dict()

        circuits = []
        for circuits_item_data in self.circuits:
            circuits_item = circuits_item_data.to_dict()
            circuits.append(circuits_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "status": status,
            "checks": checks,
            "checked_at": checked_at,
            "version": version,
            "function_version": function_version,
            "stage": stage,
            "uptime_seconds": uptime_seconds,
            "system": system,
            "circuits": circuits,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.circuit import Circuit # noqa: PLC0415
        from ..models.detailed_checks import DetailedChecks # noqa: PLC0415
        from ..models.system import System # noqa: PLC0415
        d = dict(src_dict)
        status = DetailedStatus(d.pop("status"))




        checks = DetailedChecks.from_dict(d.pop("checks"))




        checked_at = datetime.datetime.fromisoformat(d.pop("checked_at"))




        version = d.pop("version")

        function_version = d.pop("function_version")

        stage = d.pop("stage")

        uptime_seconds = d.pop("uptime_seconds")

        system = System.from_dict(d.pop("system"))




        circuits = []
        _circuits = d.pop("circuits")
        for circuits_item_data in (_circuits):
            circuits_item = Circuit.from_dict(circuits_item_data)



            circuits.append(circuits_item)


        detailed = cls(
            status=status,
            checks=checks,
            checked_at=checked_at,
            version=version,
            function_version=function_version,
            stage=stage,
            uptime_seconds=uptime_seconds,
            system=system,
            circuits=circuits,
        )


        detailed.additional_properties = d
        return detailed

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
