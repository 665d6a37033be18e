from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime






T = TypeVar("T", bound="SlowRequest")



@_attrs_define
class SlowRequest:
    """ A request over the threshold.

     """

    name: str
    seconds: float
    at: datetime.datetime
    failed: bool
    request_id: str
    log_url: None | str
    """ A query of Logs Insights for its lines; null on the local stack. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        name = self.name

        seconds = self.seconds

        at = self.at.isoformat()

        failed = self.failed

        request_id = self.request_id

        log_url: None | str
        log_url = self.log_url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "name": name,
            "seconds": seconds,
            "at": at,
            "failed": failed,
            "request_id": request_id,
            "log_url": log_url,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        name = d.pop("name")

        seconds = d.pop("seconds")

        at = datetime.datetime.fromisoformat(d.pop("at"))




        failed = d.pop("failed")

        request_id = d.pop("request_id")

        def _parse_log_url(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        log_url = _parse_log_url(d.pop("log_url"))


        slow_request = cls(
            name=name,
            seconds=seconds,
            at=at,
            failed=failed,
            request_id=request_id,
            log_url=log_url,
        )


        slow_request.additional_properties = d
        return slow_request

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
