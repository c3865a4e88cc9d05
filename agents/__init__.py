"""Room `s2lab.agents`."""

if __name__ != "s2lab.agents":
    raise ImportError("import s2lab.agents: the bare name would load a second copy of the package")
