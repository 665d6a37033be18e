from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.cache_figures import CacheFigures
  from ..models.circuit import Circuit
  from ..models.endpoint import Endpoint
  from ..models.mark import Mark
  from ..models.minute import Minute
  from ..models.pool_figures import PoolFigures





T = TypeVar("T", bound="Metrics")



@_attrs_define
class Metrics:
    """ The metrics of the fleet.

     """

    window_minutes: int
    step_minutes: int
    """ The length of each entry of `minutes`: 10 in windows over an hour. """
    environments: int
    """ At most those of the last hour. """
    complete: bool
    """ False if DynamoDB does not answer; then this covers only one environment. """
    endpoints: list[Endpoint]
    dependencies: list[Endpoint]
    minutes: list[Minute]
    marks: list[Mark]
    """ Deployments and operators' actions in this window, oldest first. """
    cache: CacheFigures
    """ The caches of all environments combined, since each started. """
    pool: PoolFigures
    """ The connection pools of all environments combined. """
    circuits: list[Circuit]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.cache_figures import CacheFigures # noqa: PLC0415
        from ..models.circuit import Circuit # noqa: PLC0415
        from ..models.endpoint import Endpoint # noqa: PLC0415
        from ..models.mark import Mark # noqa: PLC0415
        from ..models.minute import Minute # noqa: PLC0415
        from ..models.pool_figures import PoolFigures # noqa: PLC0415
        window_minutes = self.window_minutes

        step_minutes = self.step_minutes

        environments = self.environments

        complete = self.complete

        endpoints = []
        for endpoints_item_data in self.endpoints:
            endpoints_item = endpoints_item_data.to_dict()
            endpoints.append(endpoints_item)



        dependencies = []
        for dependencies_item_data in self.dependencies:
            dependencies_item = dependencies_item_data.to_dict()
            dependencies.append(dependencies_item)



        minutes = []
        for minutes_item_data in self.minutes:
            minutes_item = minutes_item_data.to_dict()
            minutes.append(minutes_item)



        marks = []
        for marks_item_data in self.marks:
            marks_item = marks_item_data.to_dict()
            marks.append(marks_item)



        cache = self.cache.to_dict()

        pool = self.pool.to_dict()

        circuits = []
        for circuits_item_data in self.circuits:
            circuits_item = circuits_item_data.to_dict()
            circuits.append(circuits_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "window_minutes": window_minutes,
            "step_minutes": step_minutes,
            "environments": environments,
            "complete": complete,
            "endpoints": endpoints,
            "dependencies": dependencies,
            "minutes": minutes,
            "marks": marks,
            "cache": cache,
            "pool": pool,
            "circuits": circuits,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.cache_figures import CacheFigures # noqa: PLC0415
        from ..models.circuit import Circuit # noqa: PLC0415
        from ..models.endpoint import Endpoint # noqa: PLC0415
        from ..models.mark import Mark # noqa: PLC0415
        from ..models.minute import Minute # noqa: PLC0415
        from ..models.pool_figures import PoolFigures # noqa: PLC0415
        d = dict(src_dict)
        window_minutes = d.pop("window_minutes")

        step_minutes = d.pop("step_minutes")

        environments = d.pop("environments")

        complete = d.pop("complete")

        endpoints = []
        _endpoints = d.pop("endpoints")
        for endpoints_item_data in (_endpoints):
            endpoints_item = Endpoint.from_dict(endpoints_item_data)



            endpoints.append(endpoints_item)


        dependencies = []
        _dependencies = d.pop("dependencies")
        for dependencies_item_data in (_dependencies):
            dependencies_item = Endpoint.from_dict(dependencies_item_data)



            dependencies.append(dependencies_item)


        minutes = []
        _minutes = d.pop("minutes")
        for minutes_item_data in (_minutes):
            minutes_item = Minute.from_dict(minutes_item_data)



            minutes.append(minutes_item)


        marks = []
        _marks = d.pop("marks")
        for marks_item_data in (_marks):
            marks_item = Mark.from_dict(marks_item_data)



            marks.append(marks_item)


        cache = CacheFigures.from_dict(d.pop("cache"))




        pool = PoolFigures.from_dict(d.pop("pool"))




        circuits = []
        _circuits = d.pop("circuits")
        for circuits_item_data in (_circuits):
            circuits_item = Circuit.from_dict(circuits_item_data)



            circuits.append(circuits_item)


        metrics = cls(
            window_minutes=window_minutes,
            step_minutes=step_minutes,
            environments=environments,
            complete=complete,
            endpoints=endpoints,
            dependencies=dependencies,
            minutes=minutes,
            marks=marks,
            cache=cache,
            pool=pool,
            circuits=circuits,
        )


        metrics.additional_properties = d
        return metrics

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
