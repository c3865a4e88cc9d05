"""Room `s2lab.envs`."""

if __name__ != "s2lab.envs":
    raise ImportError("import s2lab.envs: the bare name would load a second copy of the package")
