"""Serving event by event: requests, a fleet of instances with step curves, the outcome of every request."""

from gigawatt.physics.serving.events.curve import StepCurve
from gigawatt.physics.serving.events.fleet import Fleet, Group, Outage, Scaling, random_outages
from gigawatt.physics.serving.events.from_engine import CurveFit, curve_of, fit_curve
from gigawatt.physics.serving.events.load import offered_load, request_seconds
from gigawatt.physics.serving.events.outcome import InstanceUse, Outcome, Use
from gigawatt.physics.serving.events.requests import Requests
from gigawatt.physics.serving.events.simulate import prepare, simulate
from gigawatt.physics.serving.events.summary import Latency, Summary, Tail, summarise

__all__ = [
    "CurveFit",
    "Fleet",
    "Group",
    "InstanceUse",
    "Latency",
    "Outage",
    "Outcome",
    "Requests",
    "Scaling",
    "StepCurve",
    "Summary",
    "Tail",
    "Use",
    "curve_of",
    "fit_curve",
    "offered_load",
    "prepare",
    "random_outages",
    "request_seconds",
    "simulate",
    "summarise",
]
