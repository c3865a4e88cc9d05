"""`Schemata.propose` for T steps, fused: see `stages.py` for what a stage is."""

import torch
from torch import Tensor

from s2lab.agents.cores.fused import lstm_kernels, schema_kernels
from s2lab.agents.cores.fused.stages import (
    Parts,
    Piece,
    Sizes,
    Slopes,
    arrays_of,
    pieces_of,
    swapped,
)


class SchemaStage:
    """Object files and schemata. Parameters: see `plans.schema_parameters`."""

    def __init__(
        self, sizes: Sizes, like: Tensor, schemata: int, choice: int, temperature: float
    ) -> None:
        self.sizes, self.schemata, self.choice = sizes, schemata, choice
        self.temperature = like.numpy().dtype.type(temperature)
        steps, rows, files, units = sizes.steps, sizes.rows, sizes.modules, sizes.units
        count = files * rows
        new = like.new_empty
        self.driven = new(steps, sizes.key + schemata * 3 * units, rows)
        self.keys = arrays_of(self.driven[:, : sizes.key])
        self.drives = arrays_of(self.driven[:, sizes.key :].view(steps, schemata, 3 * units, rows))
        query = new(steps, sizes.key, files, rows)
        self.query_t, self.queries = swapped(query), arrays_of(query)
        attention, active = new(2, steps, files, rows).unbind(0)
        self.attention = arrays_of(attention)
        self.active, self.active_rows = arrays_of(active), arrays_of(active.flatten(1))
        own = new(steps, schemata * 3 * units, count)
        self.own = list(own.unbind(0))
        self.owns = arrays_of(own.view(steps, schemata, 3 * units, count))
        self.news = arrays_of(new(steps, schemata, units, count))
        proposals = new(steps, schemata, units, count)
        self.proposal, self.proposals = list(proposals.unbind(0)), arrays_of(proposals)
        read, write = new(steps, choice, count), new(steps, schemata, choice, count)
        self.read, self.reads = list(read.unbind(0)), arrays_of(read)
        self.write, self.writes = list(write.unbind(0)), arrays_of(write)
        soft, hard = new(2, steps, schemata, count).unbind(0)
        self.soft, self.hard = arrays_of(soft), arrays_of(hard)
        self.candidates = pieces_of(new(steps, units, files, rows))

    def bind(self, inputs: Tensor, parameters: Parts) -> None:
        """Take the inputs [T, B, I] and drive all steps; the last parameter is the noise."""
        self.inputs = inputs
        self.in_weight, in_bias, self.query, query_bias = parameters[:4]
        self.recurrent, bias, self.choice_read, self.choice_write, noise = parameters[4:]
        self.noise = arrays_of(noise)
        self.query_bias = query_bias.unsqueeze(2)  # [K, d, 1]
        self.query_weight_t = self.query.transpose(1, 2)  # [K, d, H]
        self.bias = bias.unsqueeze(1)  # [3JH, 1]
        self.recurrent_t = self.recurrent.t()  # [3JH, H]
        self.read_t = self.choice_read.t()  # [C, H]
        self.write_t = self.choice_write.transpose(1, 2)  # [J, C, H]
        self.before: list[Piece] = []
        weight = self.in_weight.expand(self.sizes.steps, -1, -1)
        torch.baddbmm(in_bias.view(1, -1, 1), weight, inputs.transpose(1, 2), out=self.driven)

    def forward(self, t: int, hidden: Piece, parts: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """hidden [H, K, B]; there are no other parts. The candidate is `self.candidates[t]`."""
        self.before.append(hidden)
        flat = hidden.tensor.flatten(1)  # [H, M]
        torch.baddbmm(
            self.query_bias, self.query_weight_t, hidden.tensor.transpose(0, 1), out=self.query_t[t]
        )
        torch.addmm(self.bias, self.recurrent_t, flat, out=self.own[t])
        torch.mm(self.read_t, flat, out=self.read[t])
        lstm_kernels.compete(
            self.queries[t], self.keys[t], self.sizes.active, self.attention[t], self.active[t]
        )
        schema_kernels.propose(
            self.owns[t],
            self.drives[t],
            self.attention[t],
            hidden.rows,
            self.news[t],
            self.proposals[t],
        )
        torch.bmm(self.write_t, self.proposal[t], out=self.write[t])
        schema_kernels.choose(
            self.reads[t],
            self.writes[t],
            self.noise[t],
            self.temperature,
            self.proposals[t],
            self.soft[t],
            self.hard[t],
            self.candidates[t].rows,
        )
        return ()

    def start_backward(self, slopes: Slopes) -> None:
        """Fresh gradients and scratch space."""
        sizes, inputs, schemata = self.sizes, self.inputs, self.schemata
        rows, files, units = sizes.rows, sizes.modules, sizes.units
        count, new = files * rows, inputs.new_empty
        self.d_hidden_t = slopes.hidden.transpose(0, 1)  # [K, H, B]
        self.d_hidden_flat = slopes.hidden.flatten(1)  # [H, M]
        self.d_hidden = self.d_hidden_flat.numpy()
        self.d_chosen = slopes.candidate.flatten(1).numpy()
        query = new(sizes.key, files, rows)
        self.d_query_t, self.d_queries = query.transpose(0, 1), query.numpy()
        self.d_in = new(sizes.key + schemata * 3 * units, rows)
        self.d_in_t, self.d_keys = self.d_in.t(), self.d_in[: sizes.key].numpy()
        self.d_drives = self.d_in[sizes.key :].view(schemata, 3 * units, rows).numpy()
        self.d_attention = new(files, rows).numpy()
        self.d_own = new(schemata * 3 * units, count)
        self.d_owns = self.d_own.view(schemata, 3 * units, count).numpy()
        self.d_proposal = new(schemata, units, count)
        self.d_proposals = self.d_proposal.numpy()
        self.d_logits = new(schemata, count).numpy()
        self.d_read, self.d_write = new(self.choice, count), new(schemata, self.choice, count)
        self.d_reads, self.d_writes = self.d_read.numpy(), self.d_write.numpy()
        self.d_inputs = torch.empty_like(inputs)
        self.d_in_weight = torch.zeros_like(self.in_weight)
        self.d_in_bias = inputs.new_zeros(len(self.in_weight), 1)
        self.d_query_weight = inputs.new_zeros(files, sizes.key, units)
        self.d_query_bias = inputs.new_zeros(files, sizes.key, rows)
        self.d_recurrent = inputs.new_zeros(schemata * 3 * units, units)
        self.d_bias = inputs.new_zeros(schemata * 3 * units, 1)
        self.d_choice_read = torch.zeros_like(self.choice_read)
        self.d_choice_write = inputs.new_zeros(schemata, self.choice, units)
        self.ones = inputs.new_ones(count, 1)

    def backward(self, t: int) -> None:
        """Adds to the slope of the hidden state."""
        hidden = self.before[t]
        flat = hidden.tensor.flatten(1)  # [H, M]
        schema_kernels.choose_backward(
            self.reads[t],
            self.writes[t],
            self.temperature,
            self.proposals[t],
            self.soft[t],
            self.d_chosen,
            self.d_logits,
            self.d_reads,
            self.d_writes,
        )
        torch.bmm(self.choice_write, self.d_write, out=self.d_proposal)
        self.d_choice_write.baddbmm_(self.d_write, self.proposal[t].transpose(1, 2))
        self.d_choice_read.addmm_(flat, self.d_read.t())
        schema_kernels.propose_backward(
            self.owns[t],
            self.drives[t],
            self.attention[t],
            hidden.rows,
            self.news[t],
            self.hard[t],
            self.d_chosen,
            self.d_proposals,
            self.d_hidden,
            self.d_owns,
            self.d_drives,
            self.d_attention,
        )
        self.through_products(t, hidden.tensor, flat)

    def through_products(self, t: int, hidden: Tensor, flat: Tensor) -> None:
        """The products of the hidden state and of the input, backward."""
        lstm_kernels.compete_backward(
            self.queries[t],
            self.keys[t],
            self.attention[t],
            self.d_attention,
            self.d_queries,
            self.d_keys,
        )
        self.d_hidden_flat.addmm_(self.choice_read, self.d_read)
        self.d_hidden_flat.addmm_(self.recurrent, self.d_own)
        self.d_hidden_t.baddbmm_(self.query, self.d_query_t)
        self.d_recurrent.addmm_(self.d_own, flat.t())
        self.d_bias.addmm_(self.d_own, self.ones)
        self.d_query_weight.baddbmm_(self.d_query_t, hidden.permute(1, 2, 0))
        self.d_query_bias += self.d_query_t
        self.d_in_weight.addmm_(self.d_in, self.inputs[t])
        self.d_in_bias.addmm_(self.d_in, self.ones[: self.sizes.rows])
        torch.mm(self.d_in_t, self.in_weight, out=self.d_inputs[t])

    def gradients(self) -> tuple[Tensor | None, ...]:
        """Of the inputs, then of the parameters in their order; the noise has none."""
        return (
            self.d_inputs,
            self.d_in_weight,
            self.d_in_bias.squeeze(1),
            self.d_query_weight.transpose(1, 2),
            self.d_query_bias.sum(2),
            self.d_recurrent.t(),
            self.d_bias.squeeze(1),
            self.d_choice_read,
            self.d_choice_write.transpose(1, 2),
            None,
        )
