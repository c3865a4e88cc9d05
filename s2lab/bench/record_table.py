"""A bench's record as the README's Markdown. Knows no bench."""

from typing import Any

PACKAGES = ("numba", "torch", "minigrid", "stable-baselines3", "jax", "navix", "xminigrid", "gies")


def table(record: dict[str, Any]) -> str:
    """A line for each figure of ours, with its peers."""
    lines = ["| what | ours | beside |", "|---|---|---|"]
    peers: dict[tuple[str, str], list[str]] = {}
    ours: dict[tuple[str, str], float] = {}
    for row in record["rows"]:
        key = row["name"], row["unit"]
        ours.setdefault(key, row["value"])
        peers.setdefault(key, [])
        if row["ratio"] is not None:
            theirs = f"{figure(row['peer_value'])} {row['unit']}"
            peers[key].append(f"{row['ratio']:.3g} x {row['peer']} ({theirs})")
    for (name, unit), beside in peers.items():
        lines.append(f"| {name} | {figure(ours[name, unit])} {unit} | {'; '.join(beside)} |")
    machine, versions = record["machine"], record["versions"]
    found = ", ".join(f"{name} {versions[name]}" for name in PACKAGES if name in versions)
    end = f"Ratios above 1 are in our favour. {machine['cores']} cores ({machine['processor']})"
    end += f" and one {record['gpu']}" if "gpu" in record else ""
    return "\n".join([*lines, "", f"{end}; {found}."])


def figure(value: float) -> str:
    """A number to three digits, thousands apart."""
    if value < 1000:
        return f"{value:.3g}"
    return f"{round(value, 3 - len(str(int(value)))):,.0f}"
