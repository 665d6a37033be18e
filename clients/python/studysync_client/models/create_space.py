from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.create_space_visibility import CreateSpaceVisibility
from ..types import UNSET, Unset
from typing import cast






T = TypeVar("T", bound="CreateSpace")



@_attrs_define
class CreateSpace:
    """ A new space. The caller becomes its owner.

     """

    name: str
    visibility: CreateSpaceVisibility
    user_id: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    created_by: None | str | Unset = UNSET
    """ Sent by old clients: your own id. """
    description: None | str | Unset = UNSET
    capacity: int | Unset = UNSET
    """ Without it: 50. """





    def to_dict(self) -> dict[str, Any]:
        name = self.name

        visibility = self.visibility.value

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

        description: None | str | Unset
        if isinstance(self.description, Unset):
            description = UNSET
        else:
            description = self.description

        capacity = self.capacity


        field_dict: dict[str, Any] = {}

        field_dict.update({
            "name": name,
            "visibility": visibility,
        })
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if created_by is not UNSET:
            field_dict["created_by"] = created_by
        if description is not UNSET:
            field_dict["description"] = description
        if capacity is not UNSET:
            field_dict["capacity"] = capacity

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        name = d.pop("name")

        visibility = CreateSpaceVisibility(d.pop("visibility"))




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


        def _parse_description(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        description = _parse_description(d.pop("description", UNSET))


        capacity = d.pop("capacity", UNSET)

        create_space = cls(
            name=name,
            visibility=visibility,
            user_id=user_id,
            created_by=created_by,
            description=description,
            capacity=capacity,
        )

        return create_space

