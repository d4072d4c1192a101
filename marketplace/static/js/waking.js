// Preview servers sleep while nobody needs them. Whoever asks meanwhile is told to come back (503 waking_up) and
// does so by itself, until one answers or the time is over.

export const WAKING = "Waking up the preview servers…";
export const TOO_LONG = "The preview servers did not wake up in a minute and a half. Your photo and options are kept; try again, or ask whoever runs this site.";
const PATIENCE_MS = 90_000;

/** One question's patience: `again` says how many ms to wait before it is asked again, or null when it is over. */
export class Waking {
  #since = null;

  /** `patience`: ms; `now`: a clock. */
  constructor(patience = PATIENCE_MS, now = () => performance.now()) {
    this.patience = patience;
    this.now = now;
  }

  again(retryAfter) {
    this.#since ??= this.now();
    return this.now() - this.#since < this.patience ? Math.max(1, retryAfter) * 1000 : null;
  }

  over() {
    this.#since = null;
  }
}
