from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, BinaryIO, TextIO, TYPE_CHECKING, Generator

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

from ..models.circuit_state import CircuitState
from typing import cast
import datetime

if TYPE_CHECKING:
  from ..models.circuit_change import CircuitChange





T = TypeVar("T", bound="Circuit")



@_attrs_define
class Circuit:
    """ The state of a circuit in the fleet.

     """

    name: str
    state: CircuitState
    reason: str
    opens: int
    """ How often it opened without closing in between. """
    retry_after_seconds: float
    forced: bool
    """ Opened manually, until it is reset. """
    since: datetime.datetime | None
    """ When it left the closed state, in which it has not been since. """
    history: list[CircuitChange]
    """ Its last changes, oldest first; a current outage from its beginning. """
    history_complete: bool
    """ False if there may have been earlier changes. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)





    def to_dict(self) -> dict[str, Any]:
        from ..models.circuit_change import CircuitChange # noqa: PLC0415
        name = self.name

        state = self.state.value

        reason = self.reason

        opens = self.opens

        retry_after_seconds = self.retry_after_seconds

        forced = self.forced

        since: None | str
        if isinstance(self.since, datetime.datetime):
            since = self.since.isoformat()
        else:
            since = self.since

        history = []
        for history_item_data in self.history:
            history_item = history_item_data.to_dict()
            history.append(history_item)



        history_complete = self.history_complete


        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({
            "name": name,
            "state": state,
            "reason": reason,
            "opens": opens,
            "retry_after_seconds": retry_after_seconds,
            "forced": forced,
            "since": since,
            "history": history,
            "history_complete": history_complete,
        })

        return field_dict



    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.circuit_change import CircuitChange # noqa: PLC0415
        d = dict(src_dict)
        name = d.pop("name")

        state = CircuitState(d.pop("state"))




        reason = d.pop("reason")

        opens = d.pop("opens")

        retry_after_seconds = d.pop("retry_after_seconds")

        forced = d.pop("forced")

        def _parse_since(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                since_type_0 = datetime.datetime.fromisoformat(data)



                return since_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        since = _parse_since(d.pop("since"))


        history = []
        _history = d.pop("history")
        for history_item_data in (_history):
            history_item = CircuitChange.from_dict(history_item_data)



            history.append(history_item)


        history_complete = d.pop("history_complete")

        circuit = cls(
            name=name,
            state=state,
            reason=reason,
            opens=opens,
            retry_after_seconds=retry_after_seconds,
            forced=forced,
            since=since,
            history=history,
            history_complete=history_complete,
        )


        circuit.additional_properties = d
        return circuit

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
