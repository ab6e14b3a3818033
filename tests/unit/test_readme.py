"""The README against the code: what it names is there."""

import ast
import gc
import importlib.util
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import takewhile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from veracitypro_pipeline.cli.main import vp
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.runs.summary import RunSummary, Stage
from veracitypro_pipeline.settings import REPOSITORY_DIR, known_variables

README = (REPOSITORY_DIR / "README.md").read_text()
TESTS = REPOSITORY_DIR / "tests"
DOCUMENTS = [
    REPOSITORY_DIR / "README.md",
    TESTS / "bench" / "README.md",
    *sorted(REPOSITORY_DIR.glob("infra/**/*.md")),
]
# What a document tells to type begins with one of these, after settings for this command alone.
PROGRAMS = ("vp", "python", "pip", "dagster", "aws", "snow", ".ci/build", "echo")


@dataclass(frozen=True)
class Typed:
    """A command of a document, as words."""

    program: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join([self.program, *self.words])

    @property
    def vp_path(self) -> tuple[str, ...]:
        """Of `vp`: the command's words, e.g. `infra plan`."""
        command, depth = resolved(self.words)
        assert not isinstance(command, click.Group), self
        return self.words[:depth]

    @property
    def options(self) -> set[str]:
        return {word for word in self.words if word.startswith("--")}


def resolved(words: Sequence[str]) -> tuple[click.Command, int]:
    """The command that the first words name, and how many they are."""
    command: click.Command = vp
    depth = 0
    while isinstance(command, click.Group) and len(words) > depth:
        below = command.get_command(click.Context(command), words[depth])
        if below is None:
            break
        command, depth = below, depth + 1
    return command, depth


def typed(document: Path) -> Iterator[Typed]:
    """Each line of a block for the shell, and each command in the text with a word behind it."""
    # A place for somebody's own words, `<you>`, is one word; that of a day is a day.
    text = re.sub(r"<[\w -]+>", "X", document.read_text().replace("<day>", "2026-01-31"))
    for block in re.findall(r"```bash\n(.+?)```", text, re.DOTALL):
        for line in block.splitlines():
            for part in line.split(" && "):
                yield from command_of(part)
    flat = " ".join(re.sub(r"```.+?```", "", text, flags=re.DOTALL).split())
    for span in re.findall(r"`([^`]+)`", flat):
        if span.partition(" ")[0] in PROGRAMS and " " in span:
            yield from command_of(span)


def command_of(line: str) -> Iterator[Typed]:
    """Nothing if the line only sets variables, which must be settings of ours."""
    words = shlex.split(line, comments=True)
    while words and (setting := re.match(r"([A-Z_]+)=", words[0])):
        assert setting.group(1) in known_variables(), line
        words.pop(0)
    if words:
        program = words.pop(0).removeprefix(".venv/bin/").removesuffix("3")
        words = words[: words.index(">")] if ">" in words else words
        yield Typed(program, tuple(words))


COMMANDS_TYPED = {command for document in DOCUMENTS for command in typed(document)}
OF_VP = sorted((one for one in COMMANDS_TYPED if one.program == "vp"), key=str)


def test_the_documents_are_read_as_they_are_meant() -> None:
    assert {command.program for command in COMMANDS_TYPED} == set(PROGRAMS)
    assert len(OF_VP) > 40
    assert Typed("vp", ("run", "--asins", "200")) in OF_VP
    assert Typed("vp", ("infra", "apply")) in OF_VP
    assert Typed("python", ("-m", "tests.bench", "soak")) in COMMANDS_TYPED


@pytest.mark.parametrize("command", OF_VP, ids=str)
def test_each_vp_command_is_one_that_vp_understands(command: Typed) -> None:
    """Parsed, not run: see the next test. In the text an argument may be left out."""
    found, depth = resolved(command.words)
    rest = list(command.words[depth:])
    if rest and rest != ["--help"]:
        known = {name for option in found.params for name in option.opts}
        if rest == [word for word in rest if word in known]:
            return
        found.make_context(command.words[0], rest)


def parsed(file: Path) -> ast.Module:
    """CPython 3.11 loses count ("AST constructor recursion depth mismatch") if garbage is collected
    in the middle of it, whose end runs Python."""
    gc.disable()
    try:
        return ast.parse(file.read_text())
    finally:
        gc.enable()


@cache
def run_by_tests() -> list[tuple[list[str], set[str]]]:
    """The words before the first option, and the options, with which tests run `vp`."""
    found = []
    for file in (*TESTS.glob("journeys/*.py"), *TESTS.glob("warehouse/test_snowflake_infra.py")):
        for call in ast.walk(parsed(file)):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            arguments = call.args
            if call.func.attr == "invoke" and isinstance(call.args[-1], ast.List):
                arguments = call.args[-1].elts
            elif call.func.attr not in ("vp", "start", "run"):
                continue
            words = [
                one.value
                for one in arguments
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            # `Home.run` is `vp run`.
            words = ["run", *words] if call.func.attr == "run" else words
            options = {word for word in words if word.startswith("--")}
            found.append(([*takewhile(lambda word: not word.startswith("--"), words)], options))
    return found


@pytest.mark.parametrize("command", OF_VP, ids=str)
def test_each_vp_command_is_run_by_a_test(command: Typed) -> None:
    """With all its options, by a journey or on the emulator. Days, numbers and paths may be others:
    `--days 2` stands for `--days 7`, two products more than those tracked for `--asins 200`."""
    if command.words == ("--help",):
        return
    path = list(command.vp_path)
    assert any(
        words[: len(path)] == path and command.options <= options
        for words, options in run_by_tests()
    ), f"no test runs vp {' '.join(path)} with {sorted(command.options)}"


@pytest.mark.parametrize(
    "command", sorted((one for one in COMMANDS_TYPED if one.program != "vp"), key=str), ids=str
)
def test_each_other_command_names_what_is_there(command: Typed) -> None:
    """Those of other people's programs are not run: what they are given is looked at."""
    words = list(command.words)
    if command.program == "python" and words[:1] == ["-m"] and words[1] not in ("venv", "pytest"):
        assert importlib.util.find_spec(words[1]) is not None
    if command.program == "pip":
        extras = tomllib.loads((REPOSITORY_DIR / "pyproject.toml").read_text())["project"]
        (wanted,) = re.findall(r"\.\[([\w,]+)\]", words[-1])
        assert set(wanted.split(",")) <= extras["optional-dependencies"].keys()
    if command.program == "aws":
        template = (REPOSITORY_DIR / words[words.index("--template-file") + 1]).read_text()
        for name in re.findall(r"(\w+)=", " ".join(words[words.index("--parameter-overrides") :])):
            assert re.search(rf"^  {name}:", template, re.MULTILINE), name
    for word in (command.program, *words):
        if re.match(r"(infra|tests|dbt_project|\.ci|requirements)[/.]\S*\w\.?\w*$", word):
            place = word.replace(".", "/") if command.program == "python" else word
            assert list(REPOSITORY_DIR.glob(f"{place}*")), word


def test_the_first_block_installs_what_the_next_one_uses_and_plays_the_days_it_names() -> None:
    first, then = (re.findall(r"```bash\n(.+?)```", README, re.DOTALL))[:2]
    (installed,) = re.findall(r"\.\[([\w,]+)\]", first)
    # The pages need an extra, everything else of the block the stand-ins.
    assert "vp dashboard" in then
    assert set(installed.split(",")) == {"local", "dashboard"}
    (count, last) = re.findall(r"vp run --days (\d+) --date (\S+)", then)[0]
    ((since, until),) = re.findall(r"vp backfill --from (\S+) --to (\S+)", then)
    assert until == last
    assert date.fromisoformat(until) - date.fromisoformat(since) < timedelta(days=int(count))


def test_the_readme_names_each_command_of_vp_and_each_stage() -> None:
    for name in vp.list_commands(click.Context(vp)):
        assert f"vp {name}" in README
    for stage in STAGES:
        assert re.search(rf"^\| {stage} \|", README, re.MULTILINE)


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words after `vp`."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, *path, name)


COMMANDS = dict(leaves(vp))
OF_ALL = {"--home", "--debug"}


def test_the_table_of_options_is_that_of_the_commands() -> None:
    """Both ways: no command and no option is missing, and none is made up."""
    (table,) = re.findall(r"<!-- options -->\n((?:\|.*\n)+)", README)
    documented = {
        name: set(re.findall(r"`(--[a-z-]+)`", cells[2]))
        for cells in (row.split("|") for row in table.splitlines()[2:])
        for name in re.findall(r"`vp ([a-z ]+)`", cells[1])
    }
    real = {
        name: {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        for name, command in COMMANDS.items()
    }
    assert all(options >= OF_ALL for options in real.values())
    assert documented == {name: options - OF_ALL for name, options in real.items()}


@pytest.mark.parametrize("name", ["", "infra", *COMMANDS])
def test_each_help_fits_a_terminal_of_100_columns_and_is_complete(name: str) -> None:
    for width in (80, 100):
        answer = CliRunner().invoke(vp, [*name.split(), "--help"], terminal_width=width)
        assert answer.exit_code == 0
        assert max(map(len, answer.output.splitlines())) <= width
        # So Click ends a text that it has cut.
        assert "..." not in answer.output.replace("[ARGS]...", "")
    if name in COMMANDS:
        command = COMMANDS[name]
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, parameter.name


def test_the_documented_json_has_the_fields_of_the_summary() -> None:
    (paragraph,) = [text for text in README.split("\n\n") if text.startswith("`--json` prints")]
    for field in (*RunSummary.model_fields, *Stage.model_fields):
        assert f"`{field}`" in paragraph, field


def test_paths_in_the_readme_exist() -> None:
    places = set(re.findall(r"`((?:dbt_project|veracitypro_pipeline|infra)/[\w/.]+)`", README))
    assert len(places) >= 5
    for place in places:
        assert (REPOSITORY_DIR / place).exists(), place


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: str(one.relative_to(TESTS.parent)))
def test_a_link_leads_to_a_file_and_to_a_heading_in_it(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read_text())
    for path, heading in links:
        target = document.parent / path if path else document
        assert target.exists(), path
        if heading:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            # As GitHub makes an anchor of a heading.
            anchors = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
            assert heading in anchors, f"{path}#{heading}"


def test_the_pictures_are_those_of_the_readme_and_small() -> None:
    """`pytest tests/journeys --pictures` takes them anew."""
    folder = REPOSITORY_DIR / ".github" / "images"
    shown = set(re.findall(r"!\[[^]]+\]\(\.github/images/([\w.]+)\)", README))
    assert shown == {file.name for file in folder.iterdir()}
    assert all(file.stat().st_size < 150_000 for file in folder.iterdir())


def test_ci_runs_the_command_of_the_readme() -> None:
    """What `.ci/run` cuts out of the README is exactly the command under "Tests"."""
    (line,) = [
        line for line in (REPOSITORY_DIR / ".ci" / "run").read_text().splitlines() if "sed" in line
    ]
    cut = subprocess.run(
        ["bash", "-c", line.partition(" | ")[0]],
        cwd=REPOSITORY_DIR,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (block,) = re.findall(r"<!-- tests -->\n```bash\n(.+?)```", README, re.DOTALL)
    assert cut == block
    assert "pytest" in block
