"""Cores of about the same size, for tables that compare them. Knows no table.

Sizes bring every agent to about the parameters of one with RIMs of six modules of 32, behind an
encoder with 64 features.
"""

from collections.abc import Mapping
from typing import Any

CORES: dict[str, Mapping[str, Any]] = {
    "none": {},
    "lstm": {"hidden_size": 152},
    "gru": {"hidden_size": 176},
    "rims": {"module_count": 6, "module_size": 32, "active_count": 4, "key_size": 32},
    "workspace": {"module_count": 6, "module_size": 32, "active_count": 4, "key_size": 24},
    "rmc": {"slots": 4, "heads": 4, "head_size": 26},
    "scoff": {"module_count": 6, "module_size": 40, "active_count": 4, "schema_count": 4},
}


def some(*names: str) -> dict[str, Mapping[str, Any]]:
    """Those of these names, in this order."""
    return {name: CORES[name] for name in names}
