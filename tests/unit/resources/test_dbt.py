"""What people read of a dbt build that failed: the cause, not how far dbt had come."""

import pytest

from veracitypro_pipeline.failures import TransientFailure
from veracitypro_pipeline.resources.dbt.resource import failure_of

# As dagster-dbt 0.29.27 hands on what dbt 1.11.16 said of a model and a test.
SAID = """\
The dbt CLI process with command

`python -m veracitypro_pipeline.resources.dbt.process`

failed with exit code `1`. Check the stdout in the Dagster compute logs.

Errors parsed from dbt logs:

1 of 4 ERROR creating sql view model STG.first ................... [ERROR in 0.33s]

4 of 4 FAIL 1 unique_other_n ..................................... [FAIL 1 in 0.13s]

Failure in model first (models/stg/first.sql)

  Runtime Error in model first (models/stg/first.sql)
  Catalog Error: Table with name nowhere does not exist!
  Did you mean "somewhere"?

Failure in test unique_other_n (models/stg/other.yml)

  Got 1 result, configured to fail if != 0"""


def test_the_cause_is_said_and_dbts_progress_is_not() -> None:
    assert failure_of(SAID).description == (
        "dbt build failed: first (models/stg/first.sql): Catalog Error: Table with name nowhere"
        ' does not exist! Did you mean "somewhere"? unique_other_n (models/stg/other.yml): Got 1'
        " result, configured to fail if != 0"
    )


def test_words_of_another_form_are_left_as_they_are() -> None:
    assert failure_of("1 of 4 ERROR is all").description == "dbt build failed: 1 of 4 ERROR is all"
    assert failure_of("No such  profile").description == "dbt build failed: No such profile"


@pytest.mark.parametrize(
    "said",
    [
        "000604 (57014): 01b2: SQL execution canceled",
        "000630 (57014): 01b2: Statement reached its statement or warehouse timeout of 3600"
        " second(s) and was canceled.",
    ],
)
def test_a_statement_that_snowflake_ended_may_be_tried_again(said: str) -> None:
    assert isinstance(failure_of(f"Database Error in model a (a.sql)\n  {said}"), TransientFailure)
