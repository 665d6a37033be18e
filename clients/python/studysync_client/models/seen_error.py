from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from typing import cast
import datetime






T = TypeVar("T", bound="SeenError")



@_attrs_define
class SeenError:
    """ One kind of error.

     """

    consequence: bool
    """ A consequence of a known outage; look at the other errors first. """
    fingerprint: str
    error_type: str
    message: str
    """ The message without numbers and ids; never an exception's own text. """
    where: str
    count: int
    first_seen: datetime.datetime
    last_seen: datetime.datetime
    request_id: str
    """ The id of the last request with this error, to find it in the logs. """
    log_url: None | str
    """ A query of Logs Insights for its lines; null on the local stack. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        consequence = self.consequence

        fingerprint = self.fingerprint

        error_type = self.error_type

        message = self.message

        where = self.where

        count = self.count

        first_seen = self.first_seen.isoformat()

        last_seen = self.last_seen.isoformat()

        request_id = self.request_id

        log_url: None | str
        log_url = self.log_url


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "consequence": consequence,
            "fingerprint": fingerprint,
            "error_type": error_type,
            "message": message,
            "where": where,
            "count": count,
            "first_seen": first_seen,
            "last_seen": last_seen,
            "request_id": request_id,
            "log_url": log_url,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        consequence = d.pop("consequence")

        fingerprint = d.pop("fingerprint")

        error_type = d.pop("error_type")

        message = d.pop("message")

        where = d.pop("where")

        count = d.pop("count")

        first_seen = datetime.datetime.fromisoformat(d.pop("first_seen"))




        last_seen = datetime.datetime.fromisoformat(d.pop("last_seen"))




        request_id = d.pop("request_id")

        def _parse_log_url(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        log_url = _parse_log_url(d.pop("log_url"))


        seen_error = cls(
            consequence=consequence,
            fingerprint=fingerprint,
            error_type=error_type,
            message=message,
            where=where,
            count=count,
            first_seen=first_seen,
            last_seen=last_seen,
            request_id=request_id,
            log_url=log_url,
        )


        seen_error.additional_properties = d
        return seen_error

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
