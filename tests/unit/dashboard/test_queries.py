"""The queries of the pages are SQL of both engines; functions on their rows."""

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlglot

from veracitypro_pipeline.dashboard import pipeline_queries, product_queries
from veracitypro_pipeline.dashboard.product_page import channel_title
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.runs.summary import ROWS_ARE
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNELS
from veracitypro_pipeline.statement import positional

NIGHT = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)
DAYS = (date(2026, 1, 1), date(2026, 1, 31))
QUESTIONS = {
    "tables": pipeline_queries.TABLES,
    "runs": pipeline_queries.RUNS,
    "stages": pipeline_queries.stages_of_runs(NIGHT),
    "red checks": pipeline_queries.red_checks_of_run("run-1"),
    "evaluations": pipeline_queries.evaluations_of_check("raw/keepa_raw", "lines", NIGHT),
    "failing rows": pipeline_queries.failing_rows("run-1", "primary_key_dim_product"),
    "reasons": pipeline_queries.REFUSALS_BY_REASON,
    "refusals": pipeline_queries.refusals("no JSON", "record"),
    "products": product_queries.PRODUCTS,
    "channels": product_queries.channels(1, "B0VPCTRL16"),
    "prices": product_queries.prices(1, ["B0VPCTRL16", "B0DNKF0R01"], ["NEW"], *DAYS),
    "ranks": product_queries.ranks(1, ["B0VPCTRL16"], *DAYS),
    "reviews": product_queries.reviews(1, ["B0VPCTRL16"], *DAYS),
    "holders": product_queries.holders(1, "B0VPCTRL16", *DAYS),
}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("dialect", ["snowflake", "duckdb"])
def test_each_query_is_one_select_on_both_engines(name: str, dialect: str) -> None:
    (parsed,) = sqlglot.parse(positional(QUESTIONS[name])[0], dialect=dialect)
    assert isinstance(parsed, sqlglot.exp.Select)


@pytest.mark.parametrize("name", QUESTIONS)
def test_choices_of_a_reader_are_bound_and_never_part_of_the_text(name: str) -> None:
    sql, values = QUESTIONS[name]
    assert set(re.findall(r"\$(\w+)", sql)) == set(values)
    for value in values.values():
        for one in value if isinstance(value, list) else [value]:
            assert not isinstance(one, str) or f"'{one}'" not in sql


def test_instants_are_bound_without_a_zone_as_stored() -> None:
    for question in (QUESTIONS["stages"], QUESTIONS["evaluations"]):
        assert question.values["since"] == datetime(2026, 2, 1, 0, 10)


def a_stage(stage: str, rows_in: int | None, rows_out: int | None) -> dict[str, Any]:
    return {"stage": stage, "rows_in": rows_in, "rows_out": rows_out}


def test_unexplained_rows_are_counted_between_stages() -> None:
    stages = [
        a_stage("ingest", 24, 24),
        a_stage("landing", 24, 24),
        a_stage("raw", 23, 23),
        a_stage("stg", 23, 22),
        a_stage("core", 199_038, 748_552),
        a_stage("mart", 748_552, 754_345),
        a_stage("bi", 754_346, 754_346),
    ]
    assert pipeline_queries.unexplained(stages) == [None, 0, 1, 0, None, 0, -1]


def test_an_unfinished_stage_has_no_loss_and_hides_no_earlier_one() -> None:
    stages = [a_stage("ingest", 24, 24), a_stage("landing", 23, 23), a_stage("raw", None, None)]
    assert pipeline_queries.unexplained(stages) == [None, 1, None]
    stages = [a_stage("ingest", None, None), a_stage("landing", 24, 24)]
    assert pipeline_queries.unexplained(stages) == [None, None]


def test_the_rows_of_each_stage_are_explained() -> None:
    assert tuple(ROWS_ARE) == STAGES


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("AMAZON", "Amazon"),
        ("NEW_FBM_SHIPPING", "New FBM shipping"),
        ("LISTPRICE", "List price"),
        ("BUY_BOX_SHIPPING", "Buy box"),
    ],
)
def test_a_channel_is_named_in_words(channel: str, words: str) -> None:
    assert channel_title(channel) == words


def test_no_two_channels_are_named_alike() -> None:
    assert len({channel_title(channel.name) for channel in CHANNELS}) == len(CHANNELS)
