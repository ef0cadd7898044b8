"""What is served beside the tokens of a chat: images and video, embeddings, speech, agents, batch, robots."""

from gigawatt.physics.serving.services.agents import AgentTask, agents, usual_task
from gigawatt.physics.serving.services.answer import answer, options_of, services_of, usual_service
from gigawatt.physics.serving.services.embeddings import embeddings
from gigawatt.physics.serving.services.frontier import UNITS, ServiceFrontier
from gigawatt.physics.serving.services.images import Sample, images
from gigawatt.physics.serving.services.offline import Tier, chips_by_deadline, offline
from gigawatt.physics.serving.services.robots import Fleet, Loop, control, fleet
from gigawatt.physics.serving.services.speech import recognition, speech_rate, synthesis

__all__ = [
    "UNITS",
    "AgentTask",
    "Fleet",
    "Loop",
    "Sample",
    "ServiceFrontier",
    "Tier",
    "agents",
    "answer",
    "chips_by_deadline",
    "control",
    "embeddings",
    "fleet",
    "images",
    "offline",
    "options_of",
    "recognition",
    "services_of",
    "speech_rate",
    "synthesis",
    "usual_service",
    "usual_task",
]
