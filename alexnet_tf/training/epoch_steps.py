"""How many steps the epochs of a run have: all the same, unless it goes on with more images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EpochSteps:
    """`at_first` in each epoch before `change`, and `later` in each from it on."""

    later: int
    at_first: int = 0
    change: int = 0

    def of(self, epoch: int) -> int:
        """Steps of an epoch, counted from 0."""
        return self.at_first if epoch < self.change else self.later

    def before(self, epoch: int) -> int:
        """Steps of all epochs before this one."""
        early = min(epoch, self.change)
        return early * self.at_first + (epoch - early) * self.later
