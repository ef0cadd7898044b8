"""One instance with the same rules, in simpy and in the plainest words: a step at a time, every request an object."""

from __future__ import annotations

from dataclasses import dataclass, field

import simpy


@dataclass
class Job:
    at: int
    arrival: float
    prompt: int
    answer: int
    klass: int
    goal: int = 0
    computed: int = 0
    made: int = 0
    blocks: int = 0
    first: float = -1.0
    finish: float = -1.0
    scheduled: float = -1.0
    preempted: int = 0


@dataclass
class Instance:
    """`curve` gives the step's seconds and the limits; no prefix cache."""

    env: simpy.Environment
    curve: object
    waiting: list = field(default_factory=list)
    running: list = field(default_factory=list)
    used: int = 0
    most_used: int = 0
    bell: simpy.Event | None = None

    def arrive(self, job):
        job.goal = job.prompt
        self.waiting.append(job)
        if self.bell is not None and not self.bell.triggered:
            self.bell.succeed()

    def need(self, tokens):
        return -(-tokens // self.curve.block_size)

    def preempt(self, decoding):
        victim = max(self.running, key=lambda job: (job.klass, job.order))
        self.running.remove(victim)
        if victim in decoding:
            decoding.remove(victim)
        self.used -= victim.blocks
        victim.blocks, victim.computed, victim.goal = 0, 0, victim.prompt + victim.made
        victim.preempted += 1
        self.waiting.insert(0, victim)

    def serve(self):
        c, order = self.curve, 0
        while True:
            # Who decodes has its whole goal in the cache and has made a token since.
            decoding = [job for job in self.running if job.computed == job.goal]
            pushed = False
            while True:
                grow = {id(job): self.need(self.cached(job) + 1) - job.blocks for job in decoding}
                if self.used + sum(max(extra, 0) for extra in grow.values()) <= c.kv_blocks:
                    break
                self.preempt(decoding)
                pushed = True
            for job in decoding:
                extra = max(grow[id(job)], 0)
                job.blocks += extra
                self.used += extra
            budget, tokens, pairs = c.token_budget - len(decoding), 0, 0.0
            for job in self.running:
                if job not in decoding and budget > 0:
                    part = min(job.goal - job.computed, budget)
                    pairs += part * (job.computed + 0.5 * (part + 1))
                    job.computed += part
                    tokens += part
                    budget -= part
            while self.waiting and not pushed and budget > 0 and len(self.running) < c.max_num_seqs:
                head = min(self.waiting, key=lambda job: job.klass)
                blocks = self.need(head.goal)
                if self.used + blocks > c.kv_blocks:
                    break
                self.waiting.remove(head)
                self.running.append(head)
                head.order = order = order + 1
                head.blocks = blocks
                self.used += blocks
                if head.scheduled < 0:
                    head.scheduled = self.env.now
                head.computed = min(head.goal, budget)
                pairs += head.computed * 0.5 * (head.computed + 1)
                tokens += head.computed
                budget -= head.computed
            self.most_used = max(self.most_used, self.used)
            if not decoding and tokens == 0:
                self.bell = self.env.event()
                yield self.bell
                # Whoever comes at the same moment is there before the step is made up.
                yield self.env.timeout(0)
                continue
            context = sum(self.cached(job) + 1 for job in decoding)
            yield self.env.timeout(float(c.step_seconds(len(decoding), context, tokens, pairs)))
            for job in list(self.running):
                if job.computed == job.goal and (job in decoding or job.computed > 0):
                    job.made += 1
                    if job.first < 0:
                        job.first = self.env.now
                    if job not in decoding:
                        job.base = job.made
                    if job.made == job.answer:
                        job.finish = self.env.now
                        self.running.remove(job)
                        self.used -= job.blocks

    @staticmethod
    def cached(job):
        """Tokens in the cache of one who decodes."""
        return job.goal + job.made - job.base


def run(curve, requests):
    env = simpy.Environment()
    instance = Instance(env, curve)
    jobs = [
        Job(at, *row)
        for at, row in enumerate(
            zip(
                requests.arrival_s.tolist(),
                requests.input_tokens.tolist(),
                requests.output_tokens.tolist(),
                requests.priority.tolist(),
                strict=True,
            )
        )
    ]

    def arrivals():
        for job in jobs:
            yield env.timeout(max(job.arrival - env.now, 0.0))
            instance.arrive(job)

    env.process(arrivals())
    env.process(instance.serve())
    env.run()
    return jobs, instance
