"""The steps of a session in their order, as data: which event each makes and what it carries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of step.

    Attributes:
        name: the column of sessions that says how many there are.
        event_type: the canonical type.
        item: whether it is about an item; otherwise it only has the item's category, or nothing.
        money: share of the line's amount in percent that changes hands: of a presale 10 as deposit; -1 what is left to pay.
        order: whether it carries the order's id.
    """

    name: str
    event_type: str
    item: bool = True
    money: int = 0
    order: bool = False


DEPOSIT_PERCENT = 10
REST = -1

KINDS = (
    Kind("searches", "search", item=False),
    Kind("contents", "content_view", item=False),
    Kind("clicks", "click"),
    Kind("views", "view"),
    Kind("favourites", "favourite"),
    Kind("talks", "service"),
    Kind("carts", "cart"),
    Kind("order_lines", "order", money=100, order=True),
    Kind("deposits", "pay", money=DEPOSIT_PERCENT, order=True),
    Kind("payments", "pay", money=REST, order=True),
    Kind("likes", "like"),
    Kind("comments", "comment"),
    Kind("shares", "share"),
    Kind("follows", "follow", item=False),
    Kind("invites", "invite", item=False),
    Kind("returns", "return", money=100, order=True),
    Kind("reviews", "review", order=True),
)
NUMBER = {kind.name: number for number, kind in enumerate(KINDS)}
MOST_STEPS = 1000
"""Steps of one kind in a session stay below this."""
