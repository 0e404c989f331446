/** What a Gradus page offers to scripts and tests. Stable within 0.x; fields are added, not changed. */
export interface Gradus {
  /**
   * The queue as it is now: all lanes, all jobs that have not ended, and the last 200 that have. A job is in it as ended once
   * that is written, as are `accepted`, `done`, the events of `on` and what the page shows. One that waits may be in it a
   * moment before it is written.
   */
  snapshot(): Snapshot;
  /** What computes; null until the worker has said, which takes some tens of milliseconds after the page opened. */
  adapter(): Adapter | null;
  /**
   * Runs a listener by its api name. The inputs are in the order of the handler's arguments; without them, what the
   * page's components hold. Throws a TypeError where there is no such listener or it does not take the inputs. The
   * result is shown in the page as well.
   */
  submit(listener: string, inputs?: Input[]): Run;
  /** Calls back with a job's id, for jobs of all tabs. Gives a function that ends it. */
  on(event: "accepted" | "started" | "ended", callback: (id: string) => void): () => void;
}

/**
 * A loop over a run gets its partial results, from the latest that there is when it begins; who loops over none keeps none
 * of them in memory but the latest.
 */
export interface Run extends AsyncIterable<Output[]> {
  /** The job's id, once it was accepted; null before. */
  id: string | null;
  /** Resolves with the id once the job is stored; rejects with an Error named "refused" when it is not taken. */
  accepted: Promise<string>;
  /**
   * Resolves with the outputs once the job is done and stored; rejects with an Error named "failed", "cancelled" or
   * "refused". It always settles, whichever tab runs the job, as long as this page lives.
   */
  done: Promise<Output[]>;
  /** Cancels the job, waiting or running; `done` then rejects. One that has ended stays as it is. */
  cancel(): void;
}

/** Of a picture: RGBA, row by row, not premultiplied. An ImageData is one. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

export type Input = string | number | boolean | null | Picture;
/** Undefined where a partial result leaves an output as it was; an array of texts are a Dropdown's new choices. */
export type Output = string | number | boolean | null | undefined | Picture | Picture[] | string[];

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
  /**
   * The place among its session's jobs of one priority that wait in the lane, 1 is next; null for a job that does not wait,
   * or has a slot and not yet a worker. The lane's `waiting` is the order of all.
   */
  position: number | null;
  /** The job that it waits for, of a chain; null where it waits for none. */
  after: string | null;
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
  /** "packed-f16" or "shader-f16" of a GPU; "relaxed-simd", "simd128" or "scalar" of the processor. Empty in an app
   * without pictures, which has no engine. */
  tier: string;
}

declare global {
  interface Window {
    gradus: Gradus;
  }
}
