"""How much of something scarce each caller holds, so that one caller cannot shut out the others."""

_GREED = 4


class OverShareError(Exception):
    """The caller holds so much already that the rest is kept for others."""


class Shares:
    """Counts by caller, for one scarce thing; for the event loop's thread alone.

    A caller may hold up to four times what is free then: alone four fifths of all; of two each four
    ninths; of ten each a tenth. So there is always something left for one who holds little, without
    a fixed number of callers.
    """

    def __init__(self) -> None:
        """Nobody holds anything."""
        self._held: dict[str, int] = {}

    def check(self, caller: str, count: int, free: int) -> None:
        """Whether the caller may have so many more; who holds nothing, or has no name, always may.

        Args:
            caller: the token's subject.
            count: more.
            free: before the caller has them.

        Raises:
            OverShareError: not now.
        """
        held = self._held.get(caller)
        if held and caller and held + count > _GREED * (free - count):
            raise OverShareError

    def add(self, caller: str, count: int) -> None:
        """The caller has so many more."""
        self._held[caller] = self._held.get(caller, 0) + count

    def remove(self, caller: str, count: int) -> None:
        """The caller has so many less."""
        left = self._held[caller] - count
        if left:
            self._held[caller] = left
        else:
            del self._held[caller]
