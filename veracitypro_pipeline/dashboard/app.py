"""The Streamlit script of `vp dashboard`: two pages, and each fault in a sentence on the page.

`infra/streamlit` has that of the app inside Snowflake, which shows the same.
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
        st.info("There is no warehouse yet: `vp run` makes one, and then this page tells of it.")
    except WarehouseUnavailableError as unavailable:
        st.warning(f"{escaped(str(unavailable))} Nothing is wrong with the page.")
        if st.button("Try again"):
            st.rerun()
    except (WarehouseRejectedError, SettingsError) as refusal:
        st.error(escaped(str(refusal)))
    else:
        _offer_fresh_answers()


def _offer_fresh_answers() -> None:
    left, right = st.columns([5, 1], vertical_alignment="center")
    left.caption(
        f"Read from the warehouse; answers are kept for {reading.KEPT_SECONDS:.0f} s. Instants and"
        " days are UTC."
    )
    if right.button("Read again", width="stretch"):
        reading.forget()
        st.rerun()


if __name__ == "__main__":
    main()
