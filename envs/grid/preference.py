"""Whether helpers pay, measured again and again. Knows no threads."""

# How long each way of working is tried, in seconds of work, and how long the better one is kept at
# first and at most: twice as long every time that it proves to be the better one again. At worst
# the other way gets nothing done, and a trial costs a fiftieth of what follows.
TRIAL_S = 0.02
SETTLED_S = 1.0, 8.0

# How much faster helpers must be than none, for their cores serve others; and in how many trials in
# a row before they are taken on: on a busy machine a trial errs by a fifth.
WORTH = 1.1
TRIALS = 2


class Preference:
    """Whether to work with helpers.

    On a machine that has no core to spare, waking helpers and waiting for them costs more than they
    do. Both ways are tried in turn, and the better one is kept for a while.
    """

    def __init__(self) -> None:
        self.helped = False
        self._settled = False
        self._settled_s, self._choice = SETTLED_S[0], False
        self._wins = 0  # of helpers, in a row
        self._runs, self._busy_s = 0, 0.0
        self._runs_per_s = {False: 0.0, True: 0.0}  # without and with helpers

    def record(self, elapsed_s: float) -> None:
        """Take note of how long a run took; `helped` may have changed for the next one."""
        self._runs += 1
        self._busy_s += elapsed_s
        if self._busy_s < (self._settled_s if self._settled else TRIAL_S):
            return
        self._runs_per_s[self.helped] = self._runs / self._busy_s
        self._runs, self._busy_s = 0, 0.0
        if self._settled:
            self._settled, self.helped = False, False
        elif not self.helped:
            self.helped = True
        else:
            won = self._runs_per_s[True] > WORTH * self._runs_per_s[False]
            self._wins = self._wins + 1 if won else 0
            if 0 < self._wins < TRIALS:
                self.helped = False
            else:
                self._settle(won)

    def _settle(self, helped: bool) -> None:
        again = helped == self._choice
        self._settled_s = min(2 * self._settled_s, SETTLED_S[1]) if again else SETTLED_S[0]
        self._settled, self.helped, self._choice = True, helped, helped
