"""One step of a training: prompts, frozen encoder, head, loss, gradients of all processes, update.

``micro`` bounds the images that are in flight at a time; only canvases and prompts of a step are held all at once.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hqdata.training.batches import Batch
from hqdata.training.clock import Clock
from hqdata.training.losses import mask_loss, unsure_points
from hqdata.training.parallel import Team
from hqdata.training.precision import PRECISIONS, plain_float32
from hqdata.training.prompting import draw_prompts
from hqdata.training.recipe import Recipe
from hqdata.training.sam import FrozenSam


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What a step made of its visits: a row each, of all processes, in the order of positions."""

    kind: Tensor
    """``int64[N]``: index into ``recipe.prompts``."""
    dropped: Tensor
    """``bool[N]``: see :class:`~hqdata.training.prompting.Drawn`."""
    empty: Tensor
    """``bool[N]``."""
    pixels: Tensor
    """``int64[N]``: foreground."""
    scale: Tensor
    """``float64[N]``: of the jitter."""
    tries: Tensor
    """``int64[N]``: crops that it took."""
    bce: Tensor
    """``float64[N]``."""
    dice: Tensor
    """``float64[N]``."""

    @property
    def loss(self) -> Tensor:
        """``float64[N]``: the mean is what was minimised."""
        return self.bce + self.dice


_COLUMNS = ("kind", "dropped", "empty", "pixels", "scale", "tries", "bce", "dice")
_TYPES = {"kind": torch.int64, "dropped": torch.bool, "empty": torch.bool, "pixels": torch.int64, "tries": torch.int64}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gradients:
    """What is known of a step before its update; equal in all processes."""

    seen: Seen
    norm: float
    """Of the gradient of all that is trained."""
    stop: bool
    """Whether any process was asked to stop."""

    @property
    def finite(self) -> bool:
        """Whether the step may update anything."""
        return math.isfinite(self.norm) and bool(self.seen.loss.isfinite().all())


class Trainer:
    """A head in training, with its optimizer.

    Args:
        sam: the frozen SAM.
        head: what is trained.
        recipe: how.
        steps: of the whole training; the learning rate follows from it.
        team: the processes.
        micro: images in flight at a time; divides a process's share of the batch.
        precision: of the frozen encoder, a word of :data:`~hqdata.training.precision.PRECISIONS`.
    """

    def __init__(
        self, sam: FrozenSam, head: nn.Module, recipe: Recipe, *, steps: int, team: Team, micro: int, precision: str
    ) -> None:
        self.sam = sam.to(team.device)
        self.head = head.to(team.device)
        self.recipe, self.steps, self.team, self.micro = recipe, steps, team, micro
        self.precision = PRECISIONS[precision]
        self.weights = {name: one for name, one in self.head.named_parameters() if one.requires_grad}
        # On the CPU one tensor after the other: results must not depend on how torch fuses them.
        self.optimizer = torch.optim.Adam(
            self.weights.values(), betas=(0.9, 0.999), weight_decay=0, foreach=team.device.type == "cuda"
        )
        self.clock = Clock(team.device)

    def gradients(self, batch: Batch, *, stop: bool = False) -> Gradients:
        """Do all of a step but its update.

        Args:
            batch: this process's share.
            stop: whether this process was asked to stop.
        """
        with plain_float32():
            seen = self._backward(batch.to(self.team.device, non_blocking=True))
        gradient, stopping = self._share(stop)
        norm = float(torch.linalg.vector_norm(gradient, dtype=torch.float64))
        self.clock.collect()
        return Gradients(seen=seen, norm=norm, stop=stopping)

    def update(self, step: int) -> float:
        """Let the optimizer take a step, counted from 0; return its learning rate."""
        rate = self.recipe.learning_rate_at(step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with self.clock.on_device("head"):
            self.optimizer.step()
        return rate

    def _backward(self, batch: Batch) -> Seen:
        """Leave in the weights' ``grad`` this process's part of the gradient of the batch's mean loss."""
        self.optimizer.zero_grad()
        # Of all rows at once: some rules look at neighbours.
        drawn = draw_prompts(batch.prompted, batch.choice, batch.order, batch.noise, self.recipe)
        losses = []
        for first in range(0, len(batch.visits), self.micro):
            part = batch.part(first, first + self.micro)
            with self.clock.on_device("encoder"):
                features = self.sam.encode(part.images, sizes=part.sizes, precision=self.precision)
            with self.clock.on_device("head"):
                encoded = self.sam.prompt(drawn.part(slice(first, first + self.micro)))
                logits = self.head(self.sam, features, encoded)
                points = unsure_points(logits, part.candidates, self.recipe.loss_points)
                loss = mask_loss(logits, part.masks / 255, points)
                (loss.total * len(part.visits) / self.recipe.batch).backward()  # type: ignore[no-untyped-call]
            losses.append(torch.stack([loss.bce.detach(), loss.dice.detach()], dim=1))
        # Of what is trained; prompts may be drawn from other masks.
        pixels = (batch.masks > self.recipe.traps.above).flatten(1).sum(dim=1)
        of_rows = [drawn.kind, drawn.dropped, pixels == 0, pixels, batch.scale, batch.tries]
        rows = torch.cat([*(one.double()[:, None] for one in of_rows), torch.cat(losses).double()], dim=1)
        columns = zip(_COLUMNS, self.team.gather(rows).cpu().unbind(1), strict=True)
        return Seen(**{name: column.to(_TYPES.get(name, torch.float64)) for name, column in columns})

    def _share(self, stop: bool) -> tuple[Tensor, bool]:
        """Sum the gradients of all processes, in one piece; also whether any of them is to stop."""
        parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.weights.values()]
        flat = torch.cat([*(one.flatten() for one in parts), parts[0].new_tensor([float(stop)])])
        gradient, stopping = self.team.add(flat)[:-1], bool(flat[-1] > 0)
        pieces = torch.split(gradient, [one.numel() for one in parts])
        for one, piece in zip(self.weights.values(), pieces, strict=True):
            one.grad = piece.view_as(one)
        return gradient, stopping
