"""The rules of dbt-project-evaluator, over the manifest. Its package asks a warehouse for them and
comes from dbt's hub; these ask nothing.

What breaks a rule on purpose stands in `modelling_exceptions.yml` with the reason. An exception
that is no longer needed fails as well.
"""

import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.warehouse.building import Project

EXCEPTIONS: Final = Path(__file__).parent / "modelling_exceptions.yml"
# In the order in which they are read: a model reads its own folder and those before it.
STG_FOLDERS: Final = ("base", "series", "content", "quarantine", "entities")
MOST_PARENTS: Final = 7  # As the evaluator's `too_many_joins_threshold`.
MOST_LEAVES: Final = 3  # As its `models_fanout_threshold`.
MOST_VIEWS: Final = 4  # As its `chained_views_threshold`.


class Graph:
    """Models, sources and exposures of a manifest, and who reads whom."""

    def __init__(self, manifest: Any) -> None:
        self.models = {
            key: node for key, node in manifest.nodes.items() if node.resource_type == "model"
        }
        self.sources = manifest.sources
        self.exposures = manifest.exposures
        self.parents = {
            key: [
                parent
                for parent in dict.fromkeys(node.depends_on.nodes)
                if not parent.startswith("seed.") and parent not in gates_of(node)
            ]
            for key, node in {**self.models, **self.exposures}.items()
        }
        self.children: dict[str, list[str]] = {key: [] for key in (*self.models, *self.sources)}
        for key in self.models:
            for parent in self.parents[key]:
                self.children[parent].append(key)

    def models_with(self, is_broken: Callable[[str, Any], bool]) -> set[str]:
        return {node.name for key, node in self.models.items() if is_broken(key, node)}

    def read_sources(self, key: str) -> list[str]:
        return [parent for parent in self.parents[key] if parent in self.sources]

    def views_above(self, key: str) -> int:
        """How many views are read through each other, this one included."""
        if key not in self.models or self.models[key].config.materialized != "view":
            return 0
        return 1 + max(map(self.views_above, self.parents[key]), default=0)


def gates_of(node: Any) -> set[str]:
    """Tables named for their tests to run first. They are not read."""
    names = node.config.meta.get("gates", ()) if node.resource_type == "model" else ()
    return {f"model.{node.package_name}.{name}" for name in names}


def rejoined(graph: Graph) -> Iterator[str]:
    """`parent -> child`, where a third model reads both and nothing else reads the child."""
    for key in graph.models:
        for one, other in combinations([p for p in graph.parents[key] if p in graph.models], 2):
            for parent, child in ((one, other), (other, one)):
                if parent in graph.parents[child] and graph.children[child] == [key]:
                    names = (graph.models[of].name for of in (parent, child, key))
                    yield " -> ".join(names)


def reads_a_later_folder(graph: Graph, key: str, node: Any) -> bool:
    def place(of: Any) -> int:
        return STG_FOLDERS.index(of.fqn[3])

    return node.fqn[1] == "stg" and any(
        place(graph.models[parent]) > place(node)
        for parent in graph.parents[key]
        if parent in graph.models
    )


RULES: Final[dict[str, Callable[[Graph], set[str]]]] = {
    "a model joins a source with models": lambda graph: graph.models_with(
        lambda key, _: 0 < len(graph.read_sources(key)) < len(graph.parents[key])
    ),
    "a model reads several sources": lambda graph: graph.models_with(
        lambda key, _: len(graph.read_sources(key)) > 1
    ),
    "several models read one source": lambda graph: {
        source.name for key, source in graph.sources.items() if len(graph.children[key]) > 1
    },
    "a source is not read": lambda graph: {
        source.name for key, source in graph.sources.items() if not graph.children[key]
    },
    "a source has no freshness": lambda graph: {
        source.name
        for source in graph.sources.values()
        if not source.loaded_at_field or not source.has_freshness
    },
    "a model reads nothing": lambda graph: graph.models_with(
        lambda _, node: not node.depends_on.nodes
    ),
    "a model names a table outside of ref and source": lambda graph: graph.models_with(
        lambda _, node: bool(re.search(r"\b(?:from|join)\s+\w+\.\w", node.raw_code))
    ),
    "a model of stg reads a later folder": lambda graph: graph.models_with(
        lambda key, node: reads_a_later_folder(graph, key, node)
    ),
    "a model has many leaves": lambda graph: graph.models_with(
        lambda key, _: sum(not graph.children[child] for child in graph.children[key]) > MOST_LEAVES
    ),
    "a model joins its parent with its grandparent": lambda graph: set(rejoined(graph)),
    "a model has many parents": lambda graph: graph.models_with(
        lambda key, _: len(graph.parents[key]) >= MOST_PARENTS
    ),
    "views are chained": lambda graph: graph.models_with(
        lambda key, _: graph.views_above(key) > MOST_VIEWS
    ),
    "a public model has no contract": lambda graph: graph.models_with(
        lambda _, node: node.access == "public" and not node.config.contract.enforced
    ),
    "an exposure reads what is not public": lambda graph: {
        graph.models[parent].name
        for key in graph.exposures
        for parent in graph.parents[key]
        if graph.models[parent].access != "public"
    },
    "an exposure reads a view": lambda graph: {
        graph.models[parent].name
        for key in graph.exposures
        for parent in graph.parents[key]
        if graph.models[parent].config.materialized == "view"
    },
}


@pytest.fixture(scope="module")
def graph(project: Project) -> Graph:
    return Graph(project.manifest)


@pytest.fixture(scope="module")
def exceptions() -> dict[str, dict[str, str]]:
    return dict(yaml.safe_load(EXCEPTIONS.read_text()))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_broken_only_for_a_reason(
    graph: Graph, exceptions: dict[str, dict[str, str]], rule: str
) -> None:
    assert RULES[rule](graph) == set(exceptions.get(rule, {}))


def test_every_exception_is_of_a_rule_and_gives_a_reason(
    exceptions: dict[str, dict[str, str]],
) -> None:
    assert exceptions.keys() <= RULES.keys()
    for of_rule in exceptions.values():
        assert all(len(reason.split()) > 4 for reason in of_rule.values())
