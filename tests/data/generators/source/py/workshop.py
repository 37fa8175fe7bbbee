"""Widget guide: a widget turns a crank into a gear, one tooth at a time.

Oil the widget before the first turn.
"""

__all__ = ["TEETH", "Widget", "gear"]

TEETH = 12
"""How many teeth the gear has."""


class Widget:
    """One widget, made of oak.

    Open the crate, and cut the straps:

    - Save the straps for returns.
    - Lift the widget.

    >>> Widget(3).turn("left")  # not a heading
    7
    """

    def __init__(self, teeth: int) -> None:
        """Makes a widget with so many teeth."""
        self.teeth = teeth

    def turn(self, direction: str, *, force: bool = False) -> int:
        """Turn the crank by some teeth. Never turn a cold widget."""
        return len(direction) + self.teeth + force

    def oil(self) -> None:
        """Put oil on the axle."""


def gear(widget: Widget) -> str:
    """The gear that a widget turns."""
    return f"gear of {widget.teeth}"
