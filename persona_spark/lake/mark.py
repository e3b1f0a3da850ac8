"""The place of a write among the writes of several writers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """The place of a write in an order of writers: a table that has seen a later one refuses it.

    Attributes:
        order: name of the order.
        number: the write's place in it; no two writes have the same.
    """

    order: str
    number: int

    @property
    def options(self) -> dict[str, str]:
        """What makes Delta keep the order, within the commit itself."""
        return {"txnAppId": self.order, "txnVersion": str(self.number)}
