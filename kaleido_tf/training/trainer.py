"""One training step and one evaluation step, for any model with named losses (orbit trainer and
evaluator).

The trainer knows no family: `model.objective(batch)` gives {"losses": {name: WeightedSum},
  "accuracies": {...}} and
`model.total_loss` makes of the named means over the global batch what is minimised.
"""

import time

import numpy as np
import orbit
import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training.dropout import StepDropout


class RunningMeans(tf.Module):
    """Sums of the figures since the last report; kept in the checkpoint, so a resumed run reports
    the same means.
    """

    def __init__(self, names: list[str]):
        super().__init__()
        self.names = tuple(names)
        self.sums = tf.Variable(tf.zeros([len(names)]), trainable=False)
        self.steps = tf.Variable(0.0, trainable=False)

    def add(self, values: dict[str, tf.Tensor]) -> None:
        self.sums.assign_add(tf.stack([values[name] for name in self.names]))
        self.steps.assign_add(1.0)

    def pop(self) -> dict[str, float]:
        means = (self.sums / self.steps).numpy()
        self.sums.assign(tf.zeros_like(self.sums))
        self.steps.assign(0.0)
        return dict(zip(self.names, means.tolist()))


class Trainer(orbit.StandardTrainer):
    """Trains `model` with `optimizer` on batches of `dataset`.

    Args:
      model: has `objective`, `total_loss`, `named_layers` and `trainable_variables`; built in the
        strategy's scope.
      dataset: distributed dataset of global batches. global_batch: examples in each.
      clip_norm: the gradients of the global batch are clipped to this global norm.
      log_steps: a report is given when the step is a multiple of it, and at `last_step`.
      xla: compiles forward and backward pass with XLA.
      matching_weight: factor of the matching loss in the total.
      seed: of dropout.
    """

    def __init__(
        self,
        model,
        optimizer,
        strategy,
        dataset,
        *,
        global_batch,
        log_steps,
        last_step,
        clip_norm=1.0,
        xla=False,
        matching_weight=1.0,
        seed=0,
    ):
        super().__init__(dataset)
        if xla and not model.TOTAL_IS_LINEAR and strategy.num_replicas_in_sync > 1:
            raise InputError(
                "--xla compiles one replica at a time; the adaptive loss needs all of them. Use one"
                " of the two"
            )
        self.model, self.optimizer, self.strategy = model, optimizer, strategy
        self.clip_norm, self.matching_weight, self.seed = clip_norm, matching_weight, seed
        self.log_steps, self.last_step, self.global_batch = log_steps, last_step, global_batch
        self.dropout = StepDropout(list(model.named_layers.values()))
        outputs = model.objective.output
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
        self.means = RunningMeans(
            [
                "loss",
                *outputs["losses"],
                *outputs["accuracies"],
                *model.TOTAL_FIGURES,
                "gradient_norm",
            ]
        )
        self._gradients = (
            tf.function(self._replica_gradients, jit_compile=True)
            if xla
            else self._replica_gradients
        )
        self._clock, self._clock_step = None, 0

    def train_loop_begin(self):
        if self._clock is None:
            self._clock, self._clock_step = time.monotonic(), int(self.global_step.numpy())

    def train_step(self, iterator):
        figures = self.strategy.run(self._replica_step, args=(next(iterator),))
        # Every replica holds the figures of the global batch already.
        self.means.add(
            {
                name: self.strategy.experimental_local_results(value)[0]
                for name, value in figures.items()
            }
        )
        self.global_step.assign_add(1)

    def _replica_step(self, batch):
        context = tf.distribute.get_replica_context()
        weights = None
        if self.strategy.num_replicas_in_sync > 1:
            # Weights (how many masked tokens, how many examples) must be known for the global batch
            # before the gradients are taken. They come from the labels alone; the graph prunes the
            # rest of this call.
            weights = {
                name: loss.weight
                for name, loss in self.model.objective(batch, training=False)["losses"].items()
            }
            weights = context.all_reduce(tf.distribute.ReduceOp.SUM, weights)
        step = tf.identity(self.global_step)
        totals, weights, hits, gradients = self._gradients(batch, weights, step)
        totals, hits, gradients = context.all_reduce(
            tf.distribute.ReduceOp.SUM, (totals, hits, gradients)
        )
        gradients, norm = self._clip(gradients)
        self.optimizer.apply_gradients(
            zip(gradients, self.model.trainable_variables), skip_gradients_aggregation=True
        )
        means = {name: totals[name] / weights[name] for name in totals}
        accuracies = {name: total / weight for name, (total, weight) in hits.items()}
        total, figures = self.model.total_loss(means, self.matching_weight)
        return {"loss": total, **means, **accuracies, **figures, "gradient_norm": norm}

    def _replica_gradients(self, batch, weights, step):
        """This replica's share of the loss sums, the weights they are divided by, its hits and
        share of the gradients.

        weights: of the losses over the global batch; None: this replica is the only one, and its
          own weights are that.
        """
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            self.dropout.at(self.seed, step)
            outputs = self.model.objective(batch, training=True)
            if weights is None:
                weights = {name: loss.weight for name, loss in outputs["losses"].items()}
            totals = {name: loss.total for name, loss in outputs["losses"].items()}
            loss = self._share_of_total({name: totals[name] / weights[name] for name in totals})
            scaled = self._scale(loss)
        gradients = tape.gradient(
            scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        hits = {name: (value.total, value.weight) for name, value in outputs["accuracies"].items()}
        return totals, weights, hits, [tf.convert_to_tensor(gradient) for gradient in gradients]

    def _share_of_total(self, shares):
        """What this replica differentiates; the sum of its gradients over the replicas is that of
        the total.

        shares: this replica's part of each loss's mean over the global batch.
        """
        if self.model.TOTAL_IS_LINEAR:
            return self.model.total_loss(shares, self.matching_weight)[0]
        # A total that is no plain sum has slopes that depend on the losses of all replicas.
        means = tf.nest.map_structure(tf.stop_gradient, shares)
        if self.strategy.num_replicas_in_sync > 1:  # which XLA could not compile
            means = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, means
            )
        with tf.GradientTape() as tape:
            tape.watch(means)
            total, _ = self.model.total_loss(means, self.matching_weight)
        slopes = tape.gradient(total, means)
        return tf.add_n([tf.stop_gradient(slopes[name]) * share for name, share in shares.items()])

    def _scale(self, loss):
        scales = isinstance(self.optimizer, tf_keras.mixed_precision.LossScaleOptimizer)
        return self.optimizer.get_scaled_loss(loss) if scales else loss

    def _clip(self, gradients):
        if isinstance(self.optimizer, tf_keras.mixed_precision.LossScaleOptimizer):
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        return tf.clip_by_global_norm(gradients, self.clip_norm)

    def train_loop_end(self):
        """A report at every `log_steps`; between reports (a save, an evaluation) the means go on
        adding up.
        """
        step = int(self.global_step.numpy())
        if step % self.log_steps and step != self.last_step:
            return {}
        report = self.means.pop()
        now = time.monotonic()
        report["examples_per_second"] = (
            (step - self._clock_step) * self.global_batch / max(now - self._clock, 1e-9)
        )
        self._clock, self._clock_step = now, step
        report["learning_rate"] = last_learning_rate(self.optimizer)
        if not abs(report["loss"]) < float("inf"):
            raise InputError(
                f"The loss must stay finite. It is {report['loss']} in the steps up to {step}:"
                " lower --learning_rate, or use --precision=bfloat16 or float32"
            )
        return report


def last_learning_rate(optimizer) -> float:
    """The rate that the latest update used."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    # a schedule or a variable; `learning_rate` itself is that of the update to come
    rate = inner._learning_rate
    return float((rate(inner.iterations - 1) if callable(rate) else rate).numpy())


class Evaluator(orbit.StandardEvaluator):
    """Means of all losses and accuracies over one pass.

    Each is weighted by its own count (tokens, examples, patches). `loss` is the total of these
    means; `mean_batch_loss` is the mean of the batches' totals, which the original reports as its
    loss: there a last, smaller batch counts as much as a full one.
    """

    def __init__(self, model, strategy, dataset, matching_weight=1.0):
        super().__init__(dataset)
        self.model, self.strategy, self.matching_weight = model, strategy, matching_weight

    def eval_begin(self):
        return {"sums": {}, "totals": []}

    def eval_step(self, iterator):
        def step(batch):
            outputs = self.model.objective(batch, training=False)
            return {
                name: outputs[name]
                for name in ("losses", "accuracies", "counts")
                if name in outputs
            }

        sums = self.strategy.run(step, args=(next(iterator),))
        return tf.nest.map_structure(
            lambda v: self.strategy.reduce(tf.distribute.ReduceOp.SUM, v, axis=None), sums
        )

    def eval_reduce(self, state, step_outputs):
        arrays = tf.nest.map_structure(lambda value: value.numpy().astype(np.float64), step_outputs)
        before = state["sums"]
        state["sums"] = tf.nest.map_structure(np.add, before, arrays) if before else arrays
        state["totals"].append(self._total(arrays["losses"]))
        return state

    def _total(self, losses):
        means = {
            name: tf.constant(total / weight, tf.float32)
            for name, (total, weight) in losses.items()
        }
        return float(self.model.total_loss(means, self.matching_weight)[0])

    def eval_end(self, state):
        sums = state["sums"]
        means = {
            name: float(total / weight)
            for name, (total, weight) in {**sums["losses"], **sums["accuracies"]}.items()
        }
        figures = self.model.figures(sums["counts"]) if "counts" in sums else {}
        return {
            "loss": self._total(sums["losses"]),
            "mean_batch_loss": float(np.mean(state["totals"])),
            **means,
            **figures,
        }
