"""The pages of `vp dashboard` as an app inside Snowflake, which is given its connection."""

import streamlit as st

from veracitypro_pipeline.dashboard import app, reading
from veracitypro_pipeline.resources.warehouse.snowflake_given import GivenSnowflake

reading.read_from(lambda: GivenSnowflake(lambda: st.connection("snowflake")))
app.main()
