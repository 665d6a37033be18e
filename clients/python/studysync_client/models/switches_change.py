from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.switches_change_suspicion_mode_type_0 import SwitchesChangeSuspicionModeType0
from ..types import UNSET, Unset
from typing import cast






T = TypeVar("T", bound="SwitchesChange")



@_attrs_define
class SwitchesChange:
    """ All switches; what is null or omitted goes back to the deployed value.

     """

    reason: str
    user_id: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    created_by: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    read_only: bool | Unset = UNSET
    """ Without it: false. """
    suspicion_mode: None | SwitchesChangeSuspicionModeType0 | Unset = UNSET
    rate_limit_per_minute: int | None | Unset = UNSET
    rate_limit_per_hour: int | None | Unset = UNSET
    closed_routes: list[str] | Unset = UNSET
    """ Methods and paths as in this document, such as `POST /api/spaces`. Without it: []. """





    def to_dict(self) -> dict[str, Any]:
        reason = self.reason

        user_id: None | str | Unset
        if isinstance(self.user_id, Unset):
            user_id = UNSET
        else:
            user_id = self.user_id

        created_by: None | str | Unset
        if isinstance(self.created_by, Unset):
            created_by = UNSET
        else:
            created_by = self.created_by

        read_only = self.read_only

        suspicion_mode: None | str | Unset
        if isinstance(self.suspicion_mode, Unset):
            suspicion_mode = UNSET
        elif isinstance(self.suspicion_mode, SwitchesChangeSuspicionModeType0):
            suspicion_mode = self.suspicion_mode.value
        else:
            suspicion_mode = self.suspicion_mode

        rate_limit_per_minute: int | None | Unset
        if isinstance(self.rate_limit_per_minute, Unset):
            rate_limit_per_minute = UNSET
        else:
            rate_limit_per_minute = self.rate_limit_per_minute

        rate_limit_per_hour: int | None | Unset
        if isinstance(self.rate_limit_per_hour, Unset):
            rate_limit_per_hour = UNSET
        else:
            rate_limit_per_hour = self.rate_limit_per_hour

        closed_routes: list[str] | Unset = UNSET
        if not isinstance(self.closed_routes, Unset):
            closed_routes = self.closed_routes




        field_dict: dict[str, Any] = {}

        field_dict.update({
            "reason": reason,
        })
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if created_by is not UNSET:
            field_dict["created_by"] = created_by
        if read_only is not UNSET:
            field_dict["read_only"] = read_only
        if suspicion_mode is not UNSET:
            field_dict["suspicion_mode"] = suspicion_mode
        if rate_limit_per_minute is not UNSET:
            field_dict["rate_limit_per_minute"] = rate_limit_per_minute
        if rate_limit_per_hour is not UNSET:
            field_dict["rate_limit_per_hour"] = rate_limit_per_hour
        if closed_routes is not UNSET:
            field_dict["closed_routes"] = closed_routes

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        reason = d.pop("reason")

        def _parse_user_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        user_id = _parse_user_id(d.pop("user_id", UNSET))


        def _parse_created_by(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        created_by = _parse_created_by(d.pop("created_by", UNSET))


        read_only = d.pop("read_only", UNSET)

        def _parse_suspicion_mode(data: object) -> None | SwitchesChangeSuspicionModeType0 | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                suspicion_mode_type_0 = SwitchesChangeSuspicionModeType0(data)



                return suspicion_mode_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | SwitchesChangeSuspicionModeType0 | Unset, data)

        suspicion_mode = _parse_suspicion_mode(d.pop("suspicion_mode", UNSET))


        def _parse_rate_limit_per_minute(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        rate_limit_per_minute = _parse_rate_limit_per_minute(d.pop("rate_limit_per_minute", UNSET))


        def _parse_rate_limit_per_hour(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        rate_limit_per_hour = _parse_rate_limit_per_hour(d.pop("rate_limit_per_hour", UNSET))


        closed_routes = cast(list[str], d.pop("closed_routes", UNSET))


        switches_change = cls(
            reason=reason,
            user_id=user_id,
            created_by=created_by,
            read_only=read_only,
            suspicion_mode=suspicion_mode,
            rate_limit_per_minute=rate_limit_per_minute,
            rate_limit_per_hour=rate_limit_per_hour,
            closed_routes=closed_routes,
        )

        return switches_change

