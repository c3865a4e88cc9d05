"""`SharedWorkspace.exchange` for T steps, fused: see `stages.py` for what a stage is."""

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused import attention_kernels, workspace_kernels
from s2lab.agents.cores.fused.stages import (
    Parts,
    Piece,
    Sizes,
    Slopes,
    arrays_of,
    pieces_of,
    rows_of,
    swapped,
)


class WorkspaceStage:
    """One write and one read per step. Parameters: see `plans.workspace_parameters`."""

    def __init__(
        self, sizes: Sizes, like: Tensor, heads: int, size: int, slots: int, writers: int
    ) -> None:
        self.sizes, self.size, self.slots, self.writers = sizes, size, slots, writers
        self.scale = like.numpy().dtype.type((size // heads) ** -0.5)
        new = like.new_empty
        steps, modules, rows = sizes.steps, sizes.modules, sizes.rows
        columns = slots * rows

        def flat(width: int, count: int) -> tuple[list[Tensor], list[np.ndarray]]:
            buffer = new(steps, width, count)
            return list(buffer.unbind(0)), arrays_of(buffer)

        self.asked, _ = flat(size, columns)
        self.ask = [x.view(size, slots, rows).numpy() for x in self.asked]
        self.offered, _ = flat(2 * size, modules * rows)
        self.offer = [x.view(2 * size, modules, rows).numpy() for x in self.offered]
        self.wrote = arrays_of(new(steps, heads, slots, modules, rows))
        self.read = arrays_of(new(steps, heads, modules, slots, rows))
        written = new(steps, size, slots, rows)
        self.written, self.written_rows = arrays_of(written), rows_of(written)
        scaled, spread = new(2, steps, size, columns), new(2, steps, columns)
        self.scaled1, self.scaled2 = arrays_of(scaled[0]), arrays_of(scaled[1])
        self.spread1, self.spread2 = arrays_of(spread[0]), arrays_of(spread[1])
        self.first, self.first_rows = flat(size, columns)
        self.thought, self.thought_rows = flat(size, columns)
        proposal = new(steps, size, slots, rows)
        self.proposals, self.proposal_rows = arrays_of(proposal), rows_of(proposal)
        self.tanh, self.tanh_rows = flat(size, columns)
        self.squashed = arrays_of(new(steps, size, slots, rows))
        self.gate, _ = flat(2 * size, columns)
        self.gates = [x.view(2 * size, slots, rows).numpy() for x in self.gate]
        self.summary, self.summaries = flat(sizes.units, rows)
        self.driven, self.drivens = flat(2 * size, rows)
        self.memory = pieces_of(new(steps, size, slots, rows))
        self.shown, _ = flat(2 * size, columns)
        self.show = [x.view(2 * size, slots, rows).numpy() for x in self.shown]
        query = new(steps, size, modules, rows)
        self.query_t, self.query = swapped(query), arrays_of(query)
        message = new(steps, size, modules, rows)
        self.message, self.messages = list(message.unbind(0)), arrays_of(message)

    def bind(self, parameters: Parts) -> None:
        """Take the parameters."""
        self.parameters = parameters
        self.w_ask, self.w_offer, self.w_think, b_think, self.w_gate, b_gate = parameters[:6]
        self.w_drive, self.w_query, self.w_show = parameters[6:9]
        self.norms = [parameter.numpy() for parameter in parameters[9:]]
        self.b_think, self.b_gate = b_think.unsqueeze(1), b_gate.unsqueeze(1)
        self.w_query_t = self.w_query.transpose(1, 2)  # [K, D, H]
        self.before: list[tuple[Tensor, Piece]] = []

    def forward(
        self, t: int, candidate: Tensor, active: np.ndarray, memory: tuple[Piece, ...]
    ) -> tuple[Tensor, tuple[Piece, ...]]:
        """candidate [H, K, B], memory [D, S, B] -> message [D, K, B], new memory."""
        size, old = self.size, memory[0]
        self.before.append((candidate, old))
        flat = old.tensor.flatten(1)  # [D, S * B]
        torch.mm(self.w_ask, flat, out=self.asked[t])
        torch.mm(self.w_offer, candidate.flatten(1), out=self.offered[t])
        key, value = self.offer[t][:size], self.offer[t][size:]
        attention_kernels.attend(
            self.ask[t], key, value, self.scale, self.writers, self.wrote[t], self.written[t]
        )
        weight1, bias1, weight2, bias2 = self.norms
        kernels = workspace_kernels
        kernels.normalise(
            *(old.rows, self.written_rows[t], False, weight1, bias1),
            *(self.scaled1[t], self.spread1[t], self.first_rows[t]),
        )
        torch.addmm(self.b_think, self.w_think, self.first[t], out=self.thought[t])
        kernels.normalise(
            *(self.first_rows[t], self.thought_rows[t], True, weight2, bias2),
            *(self.scaled2[t], self.spread2[t], self.proposal_rows[t]),
        )
        kernels.squash(old.rows, self.tanh_rows[t])
        torch.addmm(self.b_gate, self.w_gate, self.tanh[t], out=self.gate[t])
        kernels.summarise(candidate.numpy(), self.summaries[t])
        torch.mm(self.w_drive, self.summary[t], out=self.driven[t])
        new = self.memory[t]
        kernels.renew(
            *(self.gates[t], self.drivens[t], self.proposals[t], old.tensor.numpy()),
            *(self.squashed[t], new.tensor.numpy()),
        )
        torch.mm(self.w_show, new.tensor.flatten(1), out=self.shown[t])
        torch.bmm(self.w_query_t, candidate.transpose(0, 1), out=self.query_t[t])
        key, value = self.show[t][:size], self.show[t][size:]
        attention_kernels.attend(
            self.query[t], key, value, self.scale, self.slots, self.read[t], self.messages[t]
        )
        return self.message[t], (new,)

    def start_backward(self, slopes: Slopes) -> None:
        """Fresh gradients and scratch space."""
        sizes, size, slots = self.sizes, self.size, self.slots
        modules, rows, new = sizes.modules, sizes.rows, self.w_ask.new_empty
        columns = slots * rows
        assert slopes.message is not None
        self.d_message = slopes.message.numpy()
        self.d_candidate = slopes.candidate
        self.d_memory = slopes.memory[0]
        self.all_pass = new(slots, rows).fill_(1).numpy()
        self.d_query, self.d_show = new(size, modules, rows), new(2 * size, columns)
        self.d_ask, self.d_offer = new(size, columns), new(2 * size, modules * rows)
        self.d_gate, self.d_driven = new(2 * size, columns), new(2 * size, rows)
        self.d_summary = new(sizes.units, rows)
        self.d_one, self.d_two, self.d_three = (new(size, columns) for _ in range(3))
        self.d_norms = [new(size, columns).zero_() for _ in range(4)]
        self.d_norm_rows = [d.numpy() for d in self.d_norms]
        self.d_weights = [torch.zeros_like(p) for p in self.parameters[:9]]
        self.ones = new(columns, 1).fill_(1)
        cube = (size, slots, rows)
        self.one, self.two, self.three = (d.numpy() for d in (self.d_one, self.d_two, self.d_three))
        self.one_cube = self.d_one.view(cube).numpy()
        self.d_ask_cube = self.d_ask.view(cube).numpy()
        self.d_gate_cube = self.d_gate.view(2 * size, slots, rows).numpy()
        self.d_drivens, self.d_summaries = self.d_driven.numpy(), self.d_summary.numpy()
        self.d_queries = self.d_query.numpy()
        self.d_query_t = self.d_query.transpose(0, 1)  # [K, D, B]
        show = self.d_show.view(2 * size, slots, rows).numpy()
        self.d_shown_key, self.d_shown_value = show[:size], show[size:]
        offer = self.d_offer.view(2 * size, modules, rows).numpy()
        self.d_offer_key, self.d_offer_value = offer[:size], offer[size:]
        self.d_memory_flat = self.d_memory.flatten(1)
        self.d_memory_rows, self.d_memory_cube = self.d_memory_flat.numpy(), self.d_memory.numpy()
        self.d_candidate_flat = self.d_candidate.flatten(1)
        self.d_candidate_t = self.d_candidate.transpose(0, 1)  # [K, H, B]
        self.d_candidates = self.d_candidate.numpy()
        self.w_ask_t, self.w_offer_t = self.w_ask.t(), self.w_offer.t()
        self.w_think_t, self.w_gate_t = self.w_think.t(), self.w_gate.t()
        self.w_drive_t, self.w_show_t = self.w_drive.t(), self.w_show.t()

    def backward(self, t: int, active: np.ndarray) -> None:
        """Adds to the slope of the candidate; takes the slope of the memory one step back."""
        self.read_backward(t)
        candidate, old = self.before[t]
        kernels, d_memory = workspace_kernels, self.d_memory_flat
        d_ask, d_offer, d_think, d_b_think, d_gate, d_b_gate, d_drive = self.d_weights[:7]
        one, two, three = self.one, self.two, self.three
        kernels.renew_backward(
            *(self.gates[t], old.tensor.numpy(), self.squashed[t], self.d_memory_cube),
            *(self.d_gate_cube, self.d_drivens, self.one_cube),
        )
        d_drive.addmm_(self.d_driven, self.summary[t].t())
        torch.mm(self.w_drive_t, self.d_driven, out=self.d_summary)
        kernels.summarise_backward(self.d_summaries, candidate.numpy(), active, self.d_candidates)
        d_gate.addmm_(self.d_gate, self.tanh[t].t())
        d_b_gate.unsqueeze(1).addmm_(self.d_gate, self.ones)
        torch.mm(self.w_gate_t, self.d_gate, out=self.d_two)
        kernels.squash_backward(two, self.tanh_rows[t], self.d_memory_rows)
        weight1, _, weight2, _ = self.norms
        rows1, rows2 = self.d_norm_rows[:2], self.d_norm_rows[2:]
        kernels.normalise_backward(one, weight2, self.scaled2[t], self.spread2[t], two, *rows2)
        kernels.rectify_backward(two, self.thought_rows[t], three)
        d_think.addmm_(self.d_three, self.first[t].t())
        d_b_think.unsqueeze(1).addmm_(self.d_three, self.ones)
        self.d_two.addmm_(self.w_think_t, self.d_three)
        kernels.normalise_backward(two, weight1, self.scaled1[t], self.spread1[t], one, *rows1)
        d_memory += self.d_one
        size, offer = self.size, self.offer[t]
        attention_kernels.attend_backward(
            *(self.ask[t], offer[:size], offer[size:], self.scale, self.wrote[t], active),
            *(self.one_cube, self.d_ask_cube, self.d_offer_key, self.d_offer_value),
        )
        d_memory.addmm_(self.w_ask_t, self.d_ask)
        d_ask.addmm_(self.d_ask, old.tensor.flatten(1).t())
        self.d_candidate_flat.addmm_(self.w_offer_t, self.d_offer)
        d_offer.addmm_(self.d_offer, candidate.flatten(1).t())

    def read_backward(self, t: int) -> None:
        """From messages to the new memory and the candidate."""
        candidate, size = self.before[t][0], self.size
        show, new = self.show[t], self.memory[t].tensor.flatten(1)
        attention_kernels.attend_backward(
            *(self.query[t], show[:size], show[size:], self.scale, self.read[t], self.all_pass),
            *(self.d_message, self.d_queries, self.d_shown_key, self.d_shown_value),
        )
        self.d_candidate_t.baddbmm_(self.w_query, self.d_query_t)
        d_query, d_show = self.d_weights[7:9]
        d_query.baddbmm_(candidate.permute(1, 0, 2), self.d_query_t.transpose(1, 2))
        d_show.addmm_(self.d_show, new.t())
        self.d_memory_flat.addmm_(self.w_show_t, self.d_show)

    def gradients(self) -> Parts:
        """Of the parameters in their order."""
        return (*self.d_weights, *(d.sum(1) for d in self.d_norms))
