"""A deterministic simulation: filebatch's real code on AWS, Airflow and a clock that are simulated, in one process.

plan.py          what a seed draws: files, what people do, which faults how often; themes.py: what it concentrates on
world.py         one simulation: it puts clock, chance, clients and threads of the code under the seed's control
scheduler.py     actors on a simulated clock, one at a time; calls.py makes each call a point where others go on
services/        AWS in memory; test_services_*.py hold it to the local AWS
airflow.py, doorbell.py, containers.py, people.py, processor.py    who acts there
dag_run.py, tasks.py    of Airflow: a run, and what its tasks do
steps.py, checks.py     what must hold after each step, and once the world has calmed down
run.py, trace.py running seeds, making a finding smaller, and telling it
sweep.py        a sweep of very many objects: its memory
safeguards.py, taken_out.py    what is taken out one at a time, and must be missed: docs/guarantees.md

What may happen to a request is in `filebatch_local.base.faults`. tasks.py repeats what `filebatch.operators` do
around the plain modules: whoever changes an operator changes it there, too.
"""
