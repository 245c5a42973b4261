import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.training.run_config import RunConfig
from kaleido_tf.training.schedule import make_optimizer, plan


def test_evaluations_are_at_whole_epochs_and_once_at_the_end():
    """720 examples in batches of 32 are 22.5 steps an epoch: rounded each by itself, and the last
    epoch's is the end of the run, which the original counts one step later.
    """
    run = RunConfig(train_batch_size=32, num_epochs=30, eval_epochs=15)
    schedule = plan(run, 720, 32)
    assert schedule.total == 676 and schedule.evaluations == (338, 676)
    every = plan(RunConfig(num_epochs=30), 720, 32).evaluations
    assert len(every) == 30 and every[:4] == (23, 45, 68, 90)
    assert max(abs(step - 22.5 * epoch) for epoch, step in enumerate(every, 1)) <= 1


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"eval_steps": 4}, (4, 8, 12)),
        ({"eval_steps": 5}, (5, 10, 12)),
        ({"eval_epochs": 9.0}, (12,)),
        ({"eval_epochs": 0.5}, (3, 6, 9, 12)),
    ],
)
def test_evaluations_by_steps_or_epochs(changes, expected):
    assert plan(RunConfig(num_epochs=2, **changes), 23, 4).evaluations == expected


def test_stops_lie_at_every_save_report_and_evaluation():
    schedule = plan(RunConfig(num_epochs=2, eval_steps=5, save_steps=3, log_steps=4), 23, 4)
    step, stops = 0, []
    while step < schedule.total:
        step += schedule.next_stop(step)
        stops.append(step)
    assert stops == [3, 4, 5, 6, 8, 9, 10, 12]
    assert schedule.next_evaluation(5) == 10 and schedule.next_evaluation(12) == 12


@pytest.mark.parametrize("epochs, ratio", [(4, 0.75), (2.5, 1), (2, 0.6)])
def test_warm_up_by_epochs_must_end_before_the_run(epochs, ratio):
    """The rates lag an epoch behind: of 4 epochs, the last has the rate of the third."""
    run = RunConfig(num_epochs=epochs, warmup_ratio=ratio, schedule="epoch_cosine")
    with pytest.raises(InputError, match=f"Received: --warmup_ratio={ratio}, .*{epochs} epochs"):
        make_optimizer(run, plan(run, 24, 8))
    shorter = RunConfig(num_epochs=4.5, warmup_ratio=0.65, schedule="epoch_cosine")
    assert make_optimizer(shorter, plan(shorter, 24, 8))
