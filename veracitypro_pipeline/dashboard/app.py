"""The Streamlit script of `vp dashboard`: two pages; an error is shown on them as one sentence.

`infra/streamlit` has the script of the same app inside Snowflake.
"""

import streamlit as st

from veracitypro_pipeline.dashboard import pipeline_page, product_page, reading
from veracitypro_pipeline.markdown import escaped
from veracitypro_pipeline.resources.warehouse.protocol import (
    WarehouseMissingError,
    WarehouseRejectedError,
    WarehouseUnavailableError,
)
from veracitypro_pipeline.settings import SettingsError


def main() -> None:
    st.set_page_config(page_title="VeracityPro", layout="wide")
    page = st.navigation(
        [
            st.Page(pipeline_page.show, title="Pipeline", url_path="pipeline", default=True),
            st.Page(product_page.show, title="Product", url_path="product"),
        ],
        position="top",
    )
    try:
        with reading.one_session():
            page.run()
    except WarehouseMissingError:
        st.info("There is no warehouse yet: `vp run` makes one, and then this page shows it.")
    except WarehouseUnavailableError as unavailable:
        st.warning(f"{escaped(str(unavailable))} Nothing is wrong with the page.")
        if st.button("Try again"):
            st.rerun()
    except (WarehouseRejectedError, SettingsError) as error:
        st.error(escaped(str(error)))
    else:
        _offer_fresh_answers()


def _offer_fresh_answers() -> None:
    left, right = st.columns([5, 1], vertical_alignment="center")
    left.caption(
        f"Read from the warehouse; answers are cached for {reading.CACHE_SECONDS:.0f} s. Times and"
        " days are UTC."
    )
    if right.button("Read again", width="stretch"):
        reading.clear_cache()
        st.rerun()


if __name__ == "__main__":
    main()
