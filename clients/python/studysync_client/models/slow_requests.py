from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast

if TYPE_CHECKING:
  from ..models.slow_request import SlowRequest





T = TypeVar("T", bound="SlowRequests")



@_attrs_define
class SlowRequests:
    """ The slowest requests of a window, slowest first, except health's own.

     """

    window_minutes: int
    threshold_seconds: float
    recorded_from_seconds: float
    """ Faster requests are never listed, whatever the threshold. """
    complete: bool
    requests: list[SlowRequest]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.slow_request import SlowRequest # noqa: PLC0415
        window_minutes = self.window_minutes

        threshold_seconds = self.threshold_seconds

        recorded_from_seconds = self.recorded_from_seconds

        complete = self.complete

        requests = []
        for requests_item_data in self.requests:
            requests_item = requests_item_data.to_dict()
            requests.append(requests_item)




        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "window_minutes": window_minutes,
            "threshold_seconds": threshold_seconds,
            "recorded_from_seconds": recorded_from_seconds,
            "complete": complete,
            "requests": requests,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.slow_request import SlowRequest # noqa: PLC0415
        d = dict(src_dict)
        window_minutes = d.pop("window_minutes")

        threshold_seconds = d.pop("threshold_seconds")

        recorded_from_seconds = d.pop("recorded_from_seconds")

        complete = d.pop("complete")

        requests = []
        _requests = d.pop("requests")
        for requests_item_data in (_requests):
            requests_item = SlowRequest.from_dict(requests_item_data)



            requests.append(requests_item)


        slow_requests = cls(
            window_minutes=window_minutes,
            threshold_seconds=threshold_seconds,
            recorded_from_seconds=recorded_from_seconds,
            complete=complete,
            requests=requests,
        )


        slow_requests.additional_properties = d
        return slow_requests

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
