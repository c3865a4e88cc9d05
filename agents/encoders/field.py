"""What every encoder of one observed field is. Knows no space and no other field."""

from collections.abc import Mapping

from torch import Tensor, nn

Observation = Mapping[str, Tensor]


class FieldEncoder(nn.Module):
    """A field [B, ...] -> [B, output_size]."""

    output_size: int


class SummedEncoder(FieldEncoder):
    """One whose output is a summand of the features before their ReLU.

    `output_size` is the width of the features. Equal to a column block of the joining layer,
    without the wide vector in between.
    """
