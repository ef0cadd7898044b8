"""Executors of plug-ins: an engine by the name of an entry point of `gigawatt.executors`, its answers checked as they come.

The entry is what makes one, a class or a function: `(workers: int | None, address: str | None) -> Executor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from gigawatt.core import plugins
from gigawatt.study.executors.protocol import Done, Executor, Maker

Factory = Callable[[int | None, str | None], Executor]


class Checked:
    """A plug-in's executor of which every chunk comes back once, and nothing else."""

    def __init__(self, plugin: plugins.Plugin, inner: Executor) -> None:
        self.name = plugin.name
        self._plugin = plugin
        self._inner = inner

    def run(self, make: Maker, chunks: Sequence[int]) -> Iterator[Done]:
        waiting = set(chunks)
        for done in self._inner.run(make, chunks):
            if not isinstance(done, Done) or not isinstance(done.part, bytes):
                raise plugins.PluginError(self._plugin, f"it yields {type(done).__name__}, not Done with bytes")
            if done.chunk not in waiting:
                raise plugins.PluginError(self._plugin, f"it gave chunk {done.chunk} twice, or was never asked for it")
            waiting.remove(done.chunk)
            yield done
        if waiting:
            left = f"{len(waiting)} of {len(chunks)} chunks, the first {min(waiting)}"
            raise plugins.PluginError(self._plugin, f"it ended without {left}")


def plugged(name: str, workers: int | None = None, address: str | None = None) -> Executor:
    """The executor that an installed package brings under this name.

    Raises:
        InputError: none does, or the one that does can not be used.
    """
    make = plugins.named(plugins.EXECUTORS, name, cast("type[Factory]", Callable))
    plugin = plugins.find(plugins.EXECUTORS, name)
    assert plugin is not None
    with plugins.guarded(plugin, f"making it with workers={workers}, address={address!r} failed"):
        made = make(workers, address)
    if not callable(getattr(made, "run", None)):
        raise plugins.PluginError(plugin, f"it made a {type(made).__name__}, which has no 'run'")
    return Checked(plugin, made)
