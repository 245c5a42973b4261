"""One training step and one evaluation step, for any model that gives its losses by name (orbit
trainer and evaluator).

The trainer knows no family: what it needs of a model is `Trainable`.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import orbit
import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training.dropout import StepDropout
from kaleido_tf.training.step_reports import RunningMeans, StepClock

LOSS_SUFFIX = "_loss"
"""What the names of losses end in; other names are of figures that are only reported."""


class Trainable(Protocol):
    """What a run trains: a family's model, or a head on one.

    Attributes:
      named_layers: name -> layer; dropout layers below them are drawn by step.
      trainable_variables: what the optimizer changes, in an order that does not vary.
      step_tasks: task -> how often a step is given to it, in any unit; empty: every step computes
        all the losses that the model has.
      loss_names: of all losses that a step may compute.
      total_is_linear: whether `total` is a sum of the losses with constant factors.
      needs_whole_batch: what of the model needs the batch of all replicas at once, in words; "" if
        nothing does.
      fast_variables: of the trainable ones, those whose rate --rate_multiplier multiplies.
    """

    named_layers: Mapping[str, tf_keras.layers.Layer]
    trainable_variables: Sequence[tf.Variable]
    step_tasks: Mapping[str, float]
    loss_names: Sequence[str]
    total_is_linear: bool
    needs_whole_batch: str
    fast_variables: Sequence[tf.Variable]

    def losses(
        self, batch: Mapping[str, tf.Tensor], task: str | None = None, training: bool = False
    ) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Losses and other figures of a batch of this replica as (total, weight) by name
        (`losses.WeightedSum`), so that replicas with other weights agree on the mean.

        Names of losses end in `_loss`. Args: task: of `step_tasks`; None: all there are.
        """

    def total(self, losses: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What is minimised, from the means of the losses that a step computed, by name, and
        further figures.
        """

    def figures(self, sums: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
        """What an evaluation reports beside the means, from the summed (total, weight)."""


class Trainer(orbit.AbstractTrainer):
    """Trains `model` with `optimizer` on batches of `train_dataset`.

    Args:
      model: a `Trainable`, built in the strategy's scope.
      global_batch: examples of a distributed batch.
      clip_norm: the gradients of the global batch are clipped to this global norm; 0: they are
        not.
      accumulate_steps: parts in which a replica takes the gradients of its batch.
      log_steps: a report is given when the step is a multiple of it, and at `last_step`.
      xla: compiles forward and backward pass with XLA.
      seed: of dropout, and of which task a step is given to.

    Attributes: train_dataset: distributed dataset of global batches, to be set before `train`.
    """

    def __init__(
        self,
        model: Trainable,
        optimizer,
        strategy,
        *,
        global_batch,
        log_steps,
        last_step,
        clip_norm=1.0,
        accumulate_steps=1,
        xla=False,
        seed=0,
    ):
        super().__init__()
        needed = model.needs_whole_batch
        if xla and needed and strategy.num_replicas_in_sync > 1:
            raise InputError(
                f"--xla compiles one replica at a time; {needed} needs all of them. Use one of the"
                " two"
            )
        if accumulate_steps > 1 and needed:
            raise InputError(
                f"--accumulate_steps adds up the gradients of parts; {needed} needs the whole"
                " batch. Use one of the two"
            )
        self.model, self.optimizer, self.strategy = model, optimizer, strategy
        self.accumulate_steps = accumulate_steps
        self.clip_norm, self.seed, self.xla = clip_norm, seed, xla
        self.log_steps, self.last_step, self.global_batch = log_steps, last_step, global_batch
        # By now the optimizer has asked for the variables, so all layers are there.
        self.dropout = StepDropout(list(model.named_layers.values()))
        # Counts batches. The optimizer's own count stands still where float16 skips an update, and
        # a resumed run has to know which batch comes next.
        self.global_step = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        # Which data the steps were counted on; 0 until the run says so, kept in its checkpoints.
        self.data_digest = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.means = RunningMeans()
        self.train_dataset = None
        self._iterator = None
        self._updates = {}
        self._clock = StepClock()

    def train(self, num_steps: tf.Tensor) -> dict[str, float]:
        """Makes steps; a report at every `log_steps`. Between reports (a save, an evaluation) the
        means go on adding up.
        """
        if self._iterator is None:
            self._iterator = iter(self.train_dataset)
        # Read once: a read in every step would wait for the step before.
        first = int(self.global_step)
        for step in range(first, first + int(num_steps)):
            update = self.compiled_update(self._draw_task(step))
            with self._clock.step(update.experimental_get_tracing_count):
                self.means.add(update(next(self._iterator)))
                self.global_step.assign_add(1)
        with self._clock.waiting():
            self.means.settle()
        return self.train_loop_end()

    def _draw_task(self, step: int) -> str | None:
        """The task that a step is given to: a function of (seed, step), so that a resumed run goes
        on with the same ones.
        """
        shares = self.model.step_tasks
        if not shares:
            return None
        weights = np.array(list(shares.values()), float)
        generator = np.random.default_rng([self.seed, step])
        return list(shares)[generator.choice(len(weights), p=weights / weights.sum())]

    def compiled_update(self, task: str | None):
        """The function that makes an update with a batch; each task's is traced when it first
        comes. Returns the figures of the global batch.
        """
        if task not in self._updates:
            # A partial is a function of its own to TensorFlow, which warns of one that is traced
            # again and again. No AutoGraph: it takes its time, and nothing here needs it.
            update = functools.partial(self._update, self._gradients_of(task))
            self._updates[task] = tf.function(update, autograph=False)
        return self._updates[task]

    def _update(self, gradients_of, batch):
        figures = self.strategy.run(
            self._replica_step, args=(batch,), kwargs={"gradients_of": gradients_of}
        )
        # Every replica holds the figures of the global batch already.
        return {
            name: self.strategy.experimental_local_results(value)[0]
            for name, value in figures.items()
        }

    def _gradients_of(self, task: str | None):
        def gradients(batch, weights, draw):
            return self._replica_gradients(batch, weights, draw, task)

        def weights(batch):
            # They come from the labels alone; the graph prunes the rest of this call.
            sums = self.model.losses(batch, task, training=False)
            return {name: weight for name, (_, weight) in sums.items()}

        if self.xla:
            gradients = tf.function(gradients, autograph=False, jit_compile=True)
        return gradients, weights

    def _replica_step(self, batch, gradients_of):
        context = tf.distribute.get_replica_context()
        compute, weights_of = gradients_of
        weights = None
        if self.strategy.num_replicas_in_sync > 1 or self.accumulate_steps > 1:
            # Weights (how many masked tokens, how many examples) must be known for the global batch
            # before the gradients are taken.
            weights = context.all_reduce(tf.distribute.ReduceOp.SUM, weights_of(batch))
        sums, gradients = self._summed_over_parts(compute, batch, weights)
        sums, gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, (sums, gradients))
        gradients, norm = self._clip(gradients)
        # While a pass reads a variable, what writes to it (an update, or the decay, which needs no
        # gradient) copies it first.
        with tf.control_dependencies([norm]):
            self.optimizer.apply_gradients(
                zip(gradients, self.model.trainable_variables), skip_gradients_aggregation=True
            )
        means = {name: total / weight for name, (total, weight) in sums.items()}
        total, figures = self.model.total(_losses_among(means))
        return {"loss": total, **means, **figures, "gradient_norm": norm}

    def _summed_over_parts(self, compute, batch, weights):
        """Sums and gradients of this replica's batch, part after part."""
        parts, step, result = self.accumulate_steps, tf.identity(self.global_step), None
        for number in range(parts):
            # One after the other, or they would need the memory of the whole batch after all.
            with tf.control_dependencies([] if result is None else tf.nest.flatten(result)):
                part = tf.nest.map_structure(lambda v, n=number: tf.split(v, parts)[n], batch)
                found = compute(part, weights, step * parts + number)
            result = found if result is None else tf.nest.map_structure(tf.add, result, found)
        return result

    def _replica_gradients(self, batch, weights, draw, task):
        """This replica's share of all sums, and of the gradients.

        weights: of the losses over the global batch; None: this replica is the only one, and its
        own weights are that. draw: the number that decides what dropout drops.
        """
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            self.dropout.at(self.seed, draw)
            sums = {
                name: tuple(pair)
                for name, pair in self.model.losses(batch, task, training=True).items()
            }
            if weights is None:
                weights = {name: weight for name, (_, weight) in sums.items()}
            losses = _losses_among(sums)
            shares = {name: total / weights[name] for name, (total, _) in losses.items()}
            scaled = self._scale(self._share_of_total(shares))
        gradients = tape.gradient(
            scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return sums, [tf.convert_to_tensor(gradient) for gradient in gradients]

    def _share_of_total(self, shares):
        """What this replica differentiates; the sum of its gradients over the replicas is that of
        the total.

        shares: this replica's part of each loss's mean over the global batch.
        """
        if self.model.total_is_linear:
            return self.model.total(shares)[0]
        # A total that is no plain sum has slopes that depend on the losses of all replicas.
        means = tf.nest.map_structure(tf.stop_gradient, shares)
        if self.strategy.num_replicas_in_sync > 1:  # which XLA could not compile
            context = tf.distribute.get_replica_context()
            means = context.all_reduce(tf.distribute.ReduceOp.SUM, means)
        with tf.GradientTape() as tape:
            tape.watch(means)
            total, _ = self.model.total(means)
        slopes = tape.gradient(total, means)
        return tf.add_n([tf.stop_gradient(slopes[name]) * share for name, share in shares.items()])

    def _scale(self, loss):
        scales = isinstance(self.optimizer, tf_keras.mixed_precision.LossScaleOptimizer)
        return self.optimizer.get_scaled_loss(loss) if scales else loss

    def _clip(self, gradients):
        if isinstance(self.optimizer, tf_keras.mixed_precision.LossScaleOptimizer):
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        if not self.clip_norm:
            return gradients, tf.linalg.global_norm(gradients)
        return tf.clip_by_global_norm(gradients, self.clip_norm)

    def train_loop_end(self) -> dict[str, float]:
        """The report of the steps since the last one; {} between reports."""
        step = int(self.global_step.numpy())
        if step % self.log_steps and step != self.last_step:
            return {}
        report = self.means.pop()
        report["examples_per_second"] = self._clock.pop_rate() * self.global_batch
        report["learning_rate"] = last_learning_rate(self.optimizer)
        if not abs(report["loss"]) < float("inf"):
            raise InputError(
                f"The loss must stay finite. It is {report['loss']} in the steps up to {step}:"
                " lower --learning_rate, or use --precision=bfloat16 or float32"
            )
        return report


def _losses_among(values: Mapping) -> dict:
    return {name: value for name, value in values.items() if name.endswith(LOSS_SUFFIX)}


def last_learning_rate(optimizer) -> float:
    """The rate that the latest update used."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    # a schedule or a variable; `learning_rate` itself is that of the update to come
    rate = inner._learning_rate
    return float((rate(inner.iterations - 1) if callable(rate) else rate).numpy())


class Evaluator(orbit.StandardEvaluator):
    """Means of all losses and figures over one pass.

    Each is weighted by its own count (tokens, examples, patches). `loss` is the total of these
    means; `mean_batch_loss` is the mean of the batches' totals, which the original reports as its
    loss: there a last, smaller batch counts as much as a full one.
    """

    def __init__(self, model: Trainable, strategy, dataset):
        super().__init__(dataset)
        self.model, self.strategy = model, strategy

    def eval_begin(self):
        return {"sums": {}, "totals": []}

    @tf.autograph.experimental.do_not_convert  # as in training
    def eval_step(self, iterator):
        def step(batch):
            sums = {}
            for task in self.model.step_tasks or (None,):
                sums.update(self.model.losses(batch, task, training=False))
            return {name: tuple(pair) for name, pair in sums.items()}

        sums = self.strategy.run(step, args=(next(iterator),))
        return tf.nest.map_structure(
            lambda v: self.strategy.reduce(tf.distribute.ReduceOp.SUM, v, axis=None), sums
        )

    def eval_reduce(self, state, step_outputs):
        arrays = tf.nest.map_structure(lambda v: v.numpy().astype(np.float64), step_outputs)
        before = state["sums"]
        state["sums"] = tf.nest.map_structure(np.add, before, arrays) if before else arrays
        state["totals"].append(self._total(arrays))
        return state

    def _total(self, sums):
        losses = _losses_among(sums)
        means = {
            n: tf.constant(total / weight, tf.float32) for n, (total, weight) in losses.items()
        }
        return float(self.model.total(means)[0])

    def eval_end(self, state):
        sums = state["sums"]
        means = {
            name: float(total / weight) for name, (total, weight) in sums.items() if total.ndim == 0
        }
        total, batches = self._total(sums), float(np.mean(state["totals"]))
        return {"loss": total, "mean_batch_loss": batches, **means, **self.model.figures(sums)}
