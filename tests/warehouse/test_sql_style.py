"""All SQL follows one style, and the linter knows our macros."""

import configparser
import re

from veracitypro_pipeline.settings import REPOSITORY_DIR

MODELS = REPOSITORY_DIR / "dbt_project" / "models"
MACROS = REPOSITORY_DIR / "dbt_project" / "macros"


def test_the_linter_has_a_stand_in_for_exactly_the_macros_that_models_call() -> None:
    defined = {
        name
        for file in MACROS.rglob("*.sql")
        for name in re.findall(r"macro (\w+)\(", file.read_text())
    }
    called = {
        name
        for file in MODELS.rglob("*.sql")
        for expression in re.findall(r"{{(.*?)}}", without_hooks(file.read_text()), re.DOTALL)
        for name in re.findall(r"\b(\w+)\(", expression)
    }
    settings = configparser.RawConfigParser()
    settings.read(REPOSITORY_DIR / ".sqlfluff")
    stand_ins = set(settings["sqlfluff:templater:jinja:macros"])
    assert stand_ins == called & defined


def without_hooks(model: str) -> str:
    """The SQL without hooks, whose text the linter does not render."""
    return re.sub(r'"{{.*?}}"', "", model)
