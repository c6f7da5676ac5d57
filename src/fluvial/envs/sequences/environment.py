"""Words over an alphabet, made symbol by symbol."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from fluvial.core.enumeration import labelled_identity
from fluvial.core.environment import Encoded, Found
from fluvial.core.errors import ConfigError
from fluvial.envs.sequences.alphabet import Alphabet
from fluvial.envs.sequences.orders import ORDERS
from fluvial.envs.sequences.state import Tokens


class Sequences:
    """Environment whose objects are the words of `min_length` to `max_length` symbols, written together.

    Action 0 is stop, 1 + site * n_symbols + c puts symbol c at a site; backward action 0 undoes the stop,
    1 + site takes the symbol at a site away. Words of a fixed length have `min_length = max_length`.

    Args:
        alphabet: the symbols, each of one or more characters, such as "ACGT" or ["00", "01", "10", "11"];
            every text must have one reading.
        max_length: most symbols L, at least 1.
        min_length: fewest symbols of an object, 0 to `max_length`; with 0 the empty word is one.
        order: where symbols are put: "append" at the end (each word has one trajectory), "both_ends" at the
            end or the start, "insert" anywhere.

    Raises:
        ConfigError: an argument out of range, or an alphabet that `Alphabet` refuses.
    """

    def __init__(
        self, alphabet: Sequence[str], max_length: int, min_length: int = 1, order: str = "append"
    ) -> None:
        if max_length < 1:
            raise ConfigError(f"sequence max_length is {max_length}; it must be at least 1")
        if not 0 <= min_length <= max_length:
            raise ConfigError(
                f"sequence min_length is {min_length}; it must be from 0 to max_length = {max_length}"
            )
        if order not in ORDERS:
            raise ConfigError(f"sequence order is '{order}'; it must be one of {', '.join(ORDERS)}")
        self.alphabet = Alphabet(tuple(alphabet))
        self.max_length, self.min_length = max_length, min_length
        self.order = ORDERS[order]
        self.is_append_only = self.order.is_append_only
        self.n_symbols = len(self.alphabet.symbols)
        self.n_sites = self.order.n_sites(max_length)
        self.n_actions = 1 + self.n_sites * self.n_symbols
        self.n_back_actions = 1 + self.n_sites
        self.max_steps = max_length + 1
        self.observation_width = max_length * self.n_symbols

    def initial(self, n: int, device: torch.device | str = "cpu") -> Tokens:
        """`n` empty words."""
        return self.unfinished(
            torch.zeros(n, self.max_length, dtype=torch.int16, device=device),
            torch.zeros(n, dtype=torch.int64, device=device),
        )

    def unfinished(self, token: Tensor, length: Tensor) -> Tokens:
        """States of the words `token` int [B, L] of `length` int64 [B] before the stop."""
        return Tokens(token.to(torch.int16), length, torch.zeros_like(length, dtype=torch.bool))

    def words(self, states: Tokens) -> tuple[Tensor, Tensor]:
        """Numbers of the symbols, int64 [B, L], 0 behind the end, and lengths, int64 [B]."""
        return states.token.long(), states.length

    def places(self, length: Tensor) -> Tensor:
        """Where the symbol of each site stands in words of `length` int64 [B] symbols with it, int64 [B, S].

        Outside the word where there is no such site.
        """
        return self.order.places(length, self.max_length)

    def mask(self, states: Tokens) -> Tensor:
        """Stop from `min_length` on, and symbols up to `max_length`, bool [B, A]."""
        stop = ~states.is_done & (states.length >= self.min_length)
        grows = ~states.is_done & (states.length < self.max_length)
        site = self.order.can_put(states.token, states.length) & grows[:, None]
        symbols = torch.arange(1, self.n_symbols + 1, dtype=torch.int16, device=states.device)
        is_first = self.order.repeated(states.token, states.length)[:, :, None] != symbols
        return torch.cat([stop[:, None], (site[:, :, None] & is_first).flatten(1)], dim=1)

    def step(self, states: Tokens, actions: Tensor) -> Tokens:
        """The next words; a finished row stays as it is."""
        grows = (actions > 0) & ~states.is_done
        site, symbol = self._site_and_symbol(actions)
        place = torch.where(grows[:, None], self._place(states.length + 1, site), self.max_length)
        index = torch.arange(self.max_length, device=states.device)
        moved = states.token
        if not self.is_append_only:
            moved = torch.where(index < place, moved, pad(moved, (1, -1)))
        return Tokens(
            torch.where(index == place, symbol.to(torch.int16), moved),
            states.length + grows,
            states.is_done | (actions == 0),
        )

    def back_mask(self, states: Tokens) -> Tensor:
        """Undoing the stop where it was taken, else taking a symbol away, bool [B, A']."""
        done = states.is_done[:, None]
        return torch.cat([done, self.order.can_take(states.token, states.length) & ~done], dim=1)

    def step_back(self, states: Tokens, back_actions: Tensor) -> Tokens:
        """The parents; the initial state stays as it is."""
        shrinks = (back_actions > 0) & ~states.is_done & (states.length > 0)
        place = self._place(states.length, self._back_site(back_actions))
        index = torch.arange(self.max_length, device=states.device)
        shorter = torch.where(index < place, states.token, pad(states.token, (-1, 1)))
        return Tokens(
            torch.where(shrinks[:, None], shorter, states.token),
            states.length - shrinks.long(),
            states.is_done & (back_actions != 0),
        )

    def undo(self, states: Tokens, actions: Tensor, next_states: Tokens) -> Tensor:
        """Taking away at the same site."""
        return torch.where(actions == 0, 0, 1 + (actions - 1) // self.n_symbols)

    def redo(self, parents: Tokens, back_actions: Tensor, states: Tokens) -> Tensor:
        """Putting the symbol that was taken away at the same site."""
        site = self._back_site(back_actions)
        place = self._place(states.length, site).clamp_min(0)
        symbol = states.token.gather(1, place).squeeze(1).long()
        return torch.where(back_actions == 0, 0, site * self.n_symbols + symbol)

    def is_terminal(self, states: Tokens) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Tokens) -> Tensor:
        """Whether the word is empty and the stop was not taken, bool [B]."""
        return (states.length == 0) & ~states.is_done

    def observe(self, states: Tokens) -> Tensor:
        """One-hot code of the symbol at each place in turn, none behind the end, float [B, L * n_symbols]."""
        symbols = torch.arange(1, self.n_symbols + 1, device=states.device)
        return (states.token[:, :, None] == symbols).flatten(1).to(torch.get_default_dtype())

    def decode(self, states: Tokens) -> list[str]:
        """The symbols written together."""
        return [self.alphabet.write(numbers) for numbers in states.token.tolist()]

    def encode(self, texts: Sequence[str]) -> Encoded[Tokens]:
        """Finished words; one that is too short or too long is not found, other texts are invalid."""
        read = [self._parse(text) for text in texts]
        rows = [numbers + [0] * (self.max_length - len(numbers)) for numbers, _ in read]
        found = torch.tensor([int(outcome) for _, outcome in read], dtype=torch.int64)
        return Encoded(
            Tokens(
                torch.tensor(rows, dtype=torch.int16).reshape(-1, self.max_length),
                torch.tensor([len(numbers) for numbers, _ in read], dtype=torch.int64),
                found == Found.ONE,
            ),
            found,
        )

    def key(self, states: Tokens) -> Tensor:
        """A hash of the word and of whether it is finished, int64 [B]; equal words are equal rows."""
        return labelled_identity(states)

    def log_symmetry(self, states: Tokens) -> Tensor:
        """Zeros, float64 [B]: no two actions lead from one word to the same other."""
        return torch.zeros(len(states), dtype=torch.float64, device=states.device)

    def _site_and_symbol(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Site int64 [B] and symbol int64 [B, 1] of each action; of the first ones for stop."""
        slot = (actions - 1).clamp_min(0)
        return slot // self.n_symbols, (slot % self.n_symbols + 1)[:, None]

    def _back_site(self, back_actions: Tensor) -> Tensor:
        return (back_actions - 1).clamp_min(0)

    def _place(self, length: Tensor, site: Tensor) -> Tensor:
        """Place of one site in each word, int64 [B, 1]."""
        return self.places(length).gather(1, site[:, None])

    def _parse(self, text: str) -> tuple[list[int], Found]:
        numbers = self.alphabet.read(text)
        if numbers is None:
            return [], Found.INVALID
        is_found = self.min_length <= len(numbers) <= self.max_length
        return (numbers, Found.ONE) if is_found else ([], Found.NONE)
