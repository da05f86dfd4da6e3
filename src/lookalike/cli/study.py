"""`lookalike train -m experiment=NAME`: runs what is missing of a study, or goes on with a search.

In: what the words ask for. Out: runs, and a table of each question. Never: begins a run before every data set was found, or
repeats one that stands.
"""

from collections.abc import Sequence

from lookalike.cli import board, show
from lookalike.cli.main import STOPPED
from lookalike.cli.pool import Ended, Workers, stood
from lookalike.cli.sweep import Question, Search


def run(questions: Sequence[Question | Search]) -> int:
    """Answer one question after another; the worst exit code. A question that was stopped is the last."""
    jobs = [job.settings for one in questions if isinstance(one, Question) for job in one.jobs if not one.plan]
    for one in {settings.dataset: settings for settings in jobs}.values():
        stood(one)  # a data set that is not there is said once, now
    worst = 0
    for question in questions:
        code = _answered(question)
        if code == STOPPED:
            return code
        worst = max(worst, code)
    return worst


def _answered(question: Question | Search) -> int:
    if isinstance(question, Search):
        from lookalike.cli import tune  # only now: Optuna is slow to import

        return tune.run(question)
    jobs = question.jobs
    ended: list[Ended | None] = [None] * len(jobs)
    if question.plan:
        board.plan(jobs, [None if job.settings.again else stood(job.settings) for job in jobs], question.pool)
        return 0
    try:
        _run(question, ended)
    finally:  # also after Ctrl-C
        board.study(jobs, ended)
    return max((one.code for one in ended if one), default=0)


def _run(question: Question, ended: list[Ended | None]) -> None:
    """Run each job, and put down how it ended."""
    jobs = question.jobs

    def began(number: int) -> None:
        board.begins(f"{number + 1} of {len(jobs)} begins: {jobs[number].label}")

    with Workers(min(question.pool, len(jobs))) as workers:
        for number, one in workers.each([(job.settings, job.label) for job in jobs], began):
            ended[number] = one
            done = sum(one is not None for one in ended)
            told = f"{done} of {len(jobs)} {jobs[number].label}: {board.line(one)}"
            show.err.print(told, style="red" if one.code else None, markup=False, soft_wrap=True)
