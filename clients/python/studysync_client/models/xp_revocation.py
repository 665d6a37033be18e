from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
from uuid import UUID






T = TypeVar("T", bound="XpRevocation")



@_attrs_define
class XpRevocation:
    """ The completed sessions that were forged.

     """

    reason: str
    session_ids: list[UUID]
    user_id: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    created_by: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """





    def to_dict(self) -> dict[str, Any]:
        reason = self.reason

        session_ids = []
        for session_ids_item_data in self.session_ids:
            session_ids_item = str(session_ids_item_data)
            session_ids.append(session_ids_item)



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


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "reason": reason,
            "session_ids": session_ids,
        })
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if created_by is not UNSET:
            field_dict["created_by"] = created_by

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        reason = d.pop("reason")

        session_ids = []
        _session_ids = d.pop("session_ids")
        for session_ids_item_data in (_session_ids):
            session_ids_item = UUID(session_ids_item_data)



            session_ids.append(session_ids_item)


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


        xp_revocation = cls(
            reason=reason,
            session_ids=session_ids,
            user_id=user_id,
            created_by=created_by,
        )

        return xp_revocation

