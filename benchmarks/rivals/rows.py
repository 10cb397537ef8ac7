"""The table's row and answer as pydantic models: what FastAPI and BentoML users declare."""

from datetime import datetime

from pydantic import BaseModel


class Row(BaseModel):
    """A row of the energy model."""

    timestamp: datetime
    temperature_c: float
    humidity_percent: float
    wind_speed_m_s: float
    general_diffuse_flows_w_m2: float
    diffuse_flows_w_m2: float


class Power(BaseModel):
    """Its answer, in kW."""

    zone_1_kw: float
    zone_2_kw: float
    zone_3_kw: float
