"""What happened in a step, as bits; `envs/spaces.py` documents them for users."""

PICKED = 1 << 0
DROPPED = 1 << 1
OPENED = 1 << 2
CLOSED = 1 << 3
UNLOCKED = 1 << 4
BOX_OPENED = 1 << 5
GOAL_IN_VIEW = 1 << 6
KEY_IN_VIEW = 1 << 7
DOOR_IN_VIEW = 1 << 8
MISSION_PART_DONE = 1 << 9

NAMES = {
    "picked": PICKED,
    "dropped": DROPPED,
    "opened": OPENED,
    "closed": CLOSED,
    "unlocked": UNLOCKED,
    "box_opened": BOX_OPENED,
    "goal_in_view": GOAL_IN_VIEW,
    "key_in_view": KEY_IN_VIEW,
    "door_in_view": DOOR_IN_VIEW,
    "mission_part_done": MISSION_PART_DONE,
}
