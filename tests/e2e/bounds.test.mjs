// What the bench beside onnxruntime-web fails at; the bench itself takes minutes and a network of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { exceeded } from "./bench/onnx/bounds.mjs";

test("each figure beside onnxruntime-web that is over its bound is told, and no other", () => {
  const at = {
    onnx_cpu_load_ratio: 0.5, onnx_cpu_step_ratio: 1, onnx_cpu_relaxed_step_ratio: 0.8,
    onnx_gpu_step_ratio: 0.2, onnx_gpu_first_over_warm_ours: 1.5,
  };
  // Figures without a bound are no fault, nor are those that were not taken.
  assert.deepEqual(exceeded({ ...at, onnx_cpu_step_ours: 900, onnx_gpu_load_ratio: 3, onnx_gpu_first_over_warm_theirs: 9 }), []);
  assert.deepEqual(exceeded({}), []);
  for (const name of Object.keys(at)) {
    const over = Number((at[name] * 1.001).toPrecision(4));
    assert.deepEqual(exceeded({ ...at, [name]: over }), [`${name} is ${over}, over its bound of ${at[name]}`]);
    assert.equal(exceeded({ ...at, [name]: NaN }).length, 1, "no number is no pass");
  }
  const twice = Object.fromEntries(Object.entries(at).map(([name, most]) => [name, 2 * most]));
  assert.equal(exceeded(twice).length, 5);
});
