"""Room `s2lab.causal`."""

if __name__ != "s2lab.causal":
    raise ImportError("import s2lab.causal: the bare name would load a second copy of the package")
