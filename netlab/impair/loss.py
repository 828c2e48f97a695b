"""Which packets are lost: each by itself, or in bursts by a Markov chain.

The chains are those of netem's ``loss_gilb_ell`` and ``loss_4state``, and behave as
they do: Gilbert and Elliott's loses a packet with the probability of the state
that it finds, and moves on then; the one of four states moves first.

Sources: the kernel's net/sched/sch_netem.c; S. Salsano, F. Ludovici, A. Ordine,
"Definition of a general and intuitive loss model for packet networks and its
implementation in the Netem module in the Linux kernel".
"""

from __future__ import annotations

from netlab.impair.conditions import Chance, FourState, GilbertElliott, Loss
from netlab.impair.draws import Hits, Lane, Lanes, Memory, chance, threshold


def losses(loss: Loss) -> Hits:
    """Whether a packet is lost; a model's state is in the flow's memory."""
    if isinstance(loss, Chance):
        return chance(loss, Lane.LOSS)
    if isinstance(loss, GilbertElliott):
        return _gilbert_elliott(loss)
    return _four_state(loss)


def _gilbert_elliott(loss: GilbertElliott) -> Hits:
    """States: 1 good, 2 bad."""
    to_bad, to_good = threshold(loss.p), threshold(loss.r)
    bad_loss, good_loss = threshold(loss.bad_loss), threshold(loss.good_loss)

    def lost(lanes: Lanes, memory: Memory) -> bool:
        transition, drawn = lanes[Lane.LOSS], lanes[Lane.LOSS_IN_STATE]
        if memory.state == 1:
            if transition < to_bad:
                memory.state = 2
            return drawn < good_loss
        if transition < to_good:
            memory.state = 1
        return drawn < bad_loss

    return lost


def _four_state(loss: FourState) -> Hits:
    """States: 1 and 2 received, 3 and 4 lost."""
    p14, p23, p32 = threshold(loss.p14), threshold(loss.p23), threshold(loss.p32)
    p13_or_p14 = threshold(loss.p14 + loss.p13)
    p31_or_p32 = threshold(loss.p32 + loss.p31)

    def lost(lanes: Lanes, memory: Memory) -> bool:
        transition, state = lanes[Lane.LOSS], memory.state
        if state == 1:
            state = 4 if transition < p14 else 3 if transition < p13_or_p14 else 1
        elif state == 2:
            state = 3 if transition < p23 else 2
        elif state == 3:
            state = 2 if transition < p32 else 1 if transition < p31_or_p32 else 3
        else:
            state = 1
        memory.state = state
        return state > 2

    return lost
