"""Commands, options, paths and links in the documents exist in the code."""

import importlib.util
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
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
    *sorted(REPOSITORY_DIR.glob(".github/*.md")),
]
# Commands in the documents start with one of these, after assignments of variables.
PROGRAMS = ("vp", "python", "pip", "dagster", "aws", "snow", ".ci/build", ".ci/lint")


@dataclass(frozen=True)
class Typed:
    """A command of a document, as words."""

    program: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join([self.program, *self.words])


def resolved(words: Sequence[str]) -> tuple[click.Command, int]:
    """The command that the first words name, and the number of these words."""
    command: click.Command = vp
    depth = 0
    while isinstance(command, click.Group) and len(words) > depth:
        below = command.get_command(click.Context(command), words[depth])
        if below is None:
            break
        command, depth = below, depth + 1
    return command, depth


def typed(document: Path) -> Iterator[Typed]:
    """Each line of a shell block, and each command in the text that has an argument."""
    # A placeholder such as `<you>` becomes one word, `<day>` a day.
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
    """The command; nothing if the line only sets variables, which must be our settings."""
    words = shlex.split(line, comments=True)
    while words and (setting := re.match(r"([A-Z_]+)=", words[0])):
        assert setting.group(1) in known_variables(), line
        words.pop(0)
    if words:
        program = words.pop(0).removeprefix(".venv/bin/").removesuffix("3")
        words = words[: words.index(">")] if ">" in words else words
        yield Typed(program, tuple(words))


COMMANDS_TYPED = sorted({one for document in DOCUMENTS for one in typed(document)}, key=str)


def understood(command: Typed) -> bool:
    """Whether `vp` parses it. Commands in the text may omit arguments."""
    found, depth = resolved(command.words)
    rest = list(command.words[depth:])
    known = {name for option in found.params for name in option.opts}
    if not set(rest) <= known | {"--help"}:
        try:
            found.make_context(command.words[0], rest)
        except click.UsageError:
            return False
    return not isinstance(found, click.Group) or rest == ["--help"]


def test_vp_understands_each_command_that_a_document_names() -> None:
    of_vp = [command for command in COMMANDS_TYPED if command.program == "vp"]
    assert Typed("vp", ("run", "--asins", "200")) in of_vp
    assert [str(command) for command in of_vp if not understood(command)] == []
    assert not understood(Typed("vp", ("run", "--asin", "200")))


def test_arguments_of_other_commands_exist() -> None:
    """Other programs are not run, but their arguments are checked."""
    for command in COMMANDS_TYPED:
        words = list(command.words)
        if command.program == "vp":
            continue
        if command.program == "python" and words[:1] == ["-m"]:
            assert importlib.util.find_spec(words[1]) is not None, command
        if command.program == "pip":
            extras = tomllib.loads((REPOSITORY_DIR / "pyproject.toml").read_text())["project"]
            (wanted,) = re.findall(r"\.\[([\w,]+)\]", words[-1])
            assert set(wanted.split(",")) <= extras["optional-dependencies"].keys()
        if command.program == "aws":
            template = (REPOSITORY_DIR / words[words.index("--template-file") + 1]).read_text()
            parameters = " ".join(words[words.index("--parameter-overrides") :])
            for name in re.findall(r"(\w+)=", parameters):
                assert re.search(rf"^  {name}:", template, re.MULTILINE), name
        for word in (command.program, *words):
            if re.match(r"(infra|tests|dbt_project|\.ci|requirements)[/.]\S*\w\.?\w*$", word):
                place = word.replace(".", "/") if command.program == "python" else word
                assert list(REPOSITORY_DIR.glob(f"{place}*")) or Path(word).exists(), word


def test_the_readme_names_each_command_of_vp_and_each_stage() -> None:
    for name in vp.list_commands(click.Context(vp)):
        assert f"vp {name}" in README
    for stage in STAGES:
        assert re.search(rf"^\| {stage} \|", README, re.MULTILINE)


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that is not a group, with its words after `vp`."""
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
    """In both directions: none is missing, and none is invented."""
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


def test_each_help_fits_a_terminal_and_is_complete() -> None:
    for name in ("", "infra", *COMMANDS):
        answer = CliRunner().invoke(vp, [*name.split(), "--help"], terminal_width=80)
        assert answer.exit_code == 0
        assert max(map(len, answer.output.splitlines())) <= 80, name
        # Click ends a truncated text with this.
        assert "..." not in answer.output.replace("[ARGS]...", ""), name
    for name, command in COMMANDS.items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)


def test_the_documented_json_has_the_fields_of_the_summary() -> None:
    (paragraph,) = [text for text in README.split("\n\n") if text.startswith("`--json` prints")]
    for field in (*RunSummary.model_fields, *Stage.model_fields):
        assert f"`{field}`" in paragraph, field


def test_paths_and_links_of_the_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        text = document.read_text()
        for place in re.findall(
            r"`((?:dbt_project|veracitypro_pipeline|infra|tests|\.ci)/[\w/.-]+)`", text
        ):
            assert (REPOSITORY_DIR / place).exists(), (document, place)
        for path, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
            target = document.parent / path if path else document
            assert target.exists(), (document, path)
            if heading:
                headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
                # GitHub derives the anchor of a heading like this.
                flat = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
                assert heading in flat, f"{document}: {path}#{heading}"


def test_the_pictures_are_those_of_the_readme_and_small() -> None:
    """`pytest tests/journeys --pictures` takes them again."""
    folder = REPOSITORY_DIR / ".github" / "images"
    shown = set(re.findall(r"!\[[^]]+\]\(\.github/images/([\w.]+)\)", README))
    assert shown == {file.name for file in folder.iterdir()}
    assert all(file.stat().st_size < 150_000 for file in folder.iterdir())


def test_ci_runs_the_command_of_the_readme() -> None:
    """`.ci/run` extracts exactly the command under "Tests"."""
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
