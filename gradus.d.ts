/** What a Gradus page offers to scripts and tests. Stable within 0.x; fields are added, not changed. */
export interface Gradus {
  /** The queue as it is now: all lanes, all jobs that have not ended, and the last 200 that have. */
  snapshot(): Snapshot;
  /** What computes; null until the worker has said, which takes some tens of milliseconds after the page opened. */
  adapter(): Adapter | null;
}

export interface Snapshot {
  lanes: Lane[];
  /** In the order of acceptance. */
  jobs: Job[];
}

export interface Lane {
  /** The concurrency_id, or the listener's name. */
  id: string;
  /** How many jobs may run at once; null is no limit. */
  count: number | null;
  /** Ids of the jobs that run, in the order in which they began. */
  running: string[];
  /** Ids of the jobs that wait, next first. */
  waiting: string[];
}

export interface Job {
  id: string;
  /** The listener's api name: its function's name, made unique. */
  listener: string;
  lane: string;
  session: string;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  /** The place among those that wait, 1 is next; null for a job that does not wait. */
  position: number | null;
  /** Counted from 1. */
  attempt: number;
  /** The share done, 0 to 1; null where it is not known. */
  progress: number | null;
  /** The message of a failed one. */
  error: string | null;
}

export interface Adapter {
  engine: "gpu" | "cpu";
  name: string;
  /** A GPU adapter in software, or the processor. */
  software: boolean;
  /** "f32", "packed-f16" or "shader-f16" of a GPU; "simd128" or "scalar" of the processor. */
  tier: string;
}

declare global {
  interface Window {
    gradus: Gradus;
  }
}
