"""One line that says what to do."""

from s2lab.errors import UserError, unknown


def test_an_unknown_name_suggests_the_nearest() -> None:
    error = unknown("agent", "rmis", ["lstm", "rims", "scoff"], "s2lab list agents")
    assert isinstance(error, UserError)
    assert str(error) == "unknown agent 'rmis'; did you mean 'rims'?  (s2lab list agents)"


def test_the_wrong_case_is_near_enough() -> None:
    known = ["MiniGrid-FourRooms-v0", "BabyAI-GoTo-v0"]
    error = unknown("environment", "minigrid-fourrooms-v0", known, "s2lab list envs")
    assert "did you mean 'MiniGrid-FourRooms-v0'?" in str(error)


def test_a_name_near_nothing_gets_no_suggestion() -> None:
    error = unknown("agent", "zzzzzz", ["lstm"], "s2lab list agents")
    assert str(error) == "unknown agent 'zzzzzz'  (s2lab list agents)"
