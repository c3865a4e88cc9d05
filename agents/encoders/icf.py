"""Independently controllable features: an encoder, what it decodes to, and a policy per feature.

Thomas et al. 2017 (arXiv 1703.07718), section 4: two convolutions of 16 filters, 32 units, tanh
features, a mirrored decoder that reads the features only, and softmax policies on the hidden layer.
Departures: the convolutions have a stride of 2, and the decoder undoes one by four outputs for
every input (a transposed convolution whose kernel is its stride), which is several times faster.
Knows no world and no training loop.
"""

import torch
from torch import Tensor, nn

from s2lab.agents.encoders.icf_config import ICFConfig


class Trunk(nn.Sequential):
    """Images [B, C, H, W] -> hidden units [B, hidden]."""

    def __init__(self, shape: tuple[int, int, int], config: ICFConfig) -> None:
        channels, height, width = shape
        filters = config.filters
        if not filters:
            size = channels * height * width
            super().__init__(nn.Flatten(), nn.Linear(size, config.hidden), nn.ReLU())
            return
        super().__init__(
            nn.Conv2d(channels, filters, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(filters * (height // 4) * (width // 4), config.hidden),
            nn.ReLU(),
        )


class ControllableFeatures(nn.Module):
    """f, g and pi of the papers for images of one shape and one set of actions.

    Raises:
        ValueError: sides of the image that are no multiples of 4.
    """

    def __init__(self, shape: tuple[int, int, int], actions: int, config: ICFConfig) -> None:
        super().__init__()
        _, height, width = shape
        if config.filters and (height % 4 or width % 4):
            raise ValueError(f"images are {height} x {width}; give sides that are multiples of 4")
        self.shape, self.actions, self.config = shape, actions, config
        filters, hidden, count = config.filters, config.hidden, config.features
        self.trunk = Trunk(shape, config)
        self.code = nn.Linear(hidden, count)
        self.spread = nn.Linear(hidden, count) if config.beta else None  # log variance of the code
        self.decoder = nn.Sequential(
            nn.Linear(count, hidden), nn.ReLU(), *_images(shape, hidden, filters)
        )
        self.base = nn.Parameter(torch.zeros(shape)) if config.base_image else None  # [C, H, W]
        self.own_trunk = Trunk(shape, config) if config.separate_policies else None
        if config.objective == "continuous":
            self.attribute_net = _two_layers(count + config.noise, hidden, count)
            self.attribute_policy = _two_layers(2 * count, hidden, actions)
        else:
            self.policy = nn.Linear(hidden, count * actions)
            with torch.no_grad():
                own = torch.eye(actions)[torch.arange(count) % actions]  # [K, A]
                self.policy.bias.add_(config.own_action * own.flatten())

    def hidden(self, images: Tensor) -> Tensor:
        """The layer before the features, [B, hidden]."""
        units: Tensor = self.trunk(images)
        return units

    def features(self, images: Tensor) -> Tensor:
        """f(s), [B, K], each between -1 and 1."""
        return torch.tanh(self.code(self.trunk(images)))

    def decode(self, features: Tensor) -> Tensor:
        """g of features, [B, C, H, W]."""
        images: Tensor = self.decoder(features)
        return images if self.base is None else images + self.base

    def policies(self, images: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Logits of pi_k(a | s), [B, K, A]; `hidden` saves a pass where the trunk is shared."""
        if self.own_trunk is not None:
            hidden = self.own_trunk(images)
        elif hidden is None:
            hidden = self.trunk(images)
        logits: Tensor = self.policy(hidden)
        return logits.view(-1, self.config.features, self.actions)

    def stateless_policies(self, count: int) -> Tensor:
        """Logits [B, K, A] of policies that know no state: the layer's bias alone."""
        return self.policy.bias.view(1, self.config.features, -1).expand(count, -1, -1)

    def draw_attributes(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """phi = Phi(h, z) and logits of pi(a | h, phi) for features [B, K] and noise [B, M, Z].

        Returns:
            attributes [B, M, K], at most 1 in size, and logits [B, M, A]
        """
        state = features[:, None].expand(-1, noise.shape[1], -1)
        attributes = torch.tanh(self.attribute_net(torch.cat([state, noise], -1)))
        logits = self.attribute_policy(torch.cat([state, attributes], -1))
        return attributes, logits


def _images(shape: tuple[int, int, int], hidden: int, filters: int) -> list[nn.Module]:
    """Layers from hidden units [B, hidden] to images [B, C, H, W]."""
    channels, height, width = shape
    if not filters:
        return [nn.Linear(hidden, channels * height * width), nn.Unflatten(1, shape)]
    small = (filters, height // 4, width // 4)
    return [
        nn.Linear(hidden, filters * small[1] * small[2]),
        nn.ReLU(),
        nn.Unflatten(1, small),
        nn.Conv2d(filters, 4 * filters, 1),
        nn.PixelShuffle(2),
        nn.ReLU(),
        nn.Conv2d(filters, 4 * channels, 1),
        nn.PixelShuffle(2),
    ]


def _two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
