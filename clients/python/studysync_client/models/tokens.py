from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..types import UNSET, Unset
from typing import cast
from uuid import UUID
import datetime






T = TypeVar("T", bound="Tokens")



@_attrs_define
class Tokens:
    """ A session of Supabase Auth.

     """

    user_id: UUID
    token: str
    """ The access token for `Authorization: Bearer`. """
    refresh_token: str
    expires_at: datetime.datetime
    session_id: str | Unset = UNSET
    """ Without it: "". """
    second_factor_required: bool | Unset = UNSET
    """ The account has a second factor: verify it with Supabase Auth before you use this token. Without it: false.
    """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        user_id = str(self.user_id)

        token = self.token

        refresh_token = self.refresh_token

        expires_at = self.expires_at.isoformat()

        session_id = self.session_id

        second_factor_required = self.second_factor_required


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "user_id": user_id,
            "token": token,
            "refresh_token": refresh_token,
            "expires_at": expires_at,
        })
        if session_id is not UNSET:
            field_dict["session_id"] = session_id
        if second_factor_required is not UNSET:
            field_dict["second_factor_required"] = second_factor_required

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        user_id = UUID(d.pop("user_id"))




        token = d.pop("token")

        refresh_token = d.pop("refresh_token")

        expires_at = datetime.datetime.fromisoformat(d.pop("expires_at"))




        session_id = d.pop("session_id", UNSET)

        second_factor_required = d.pop("second_factor_required", UNSET)

        tokens = cls(
            user_id=user_id,
            token=token,
            refresh_token=refresh_token,
            expires_at=expires_at,
            session_id=session_id,
            second_factor_required=second_factor_required,
        )


        tokens.additional_properties = d
        return tokens

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
