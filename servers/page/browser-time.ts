/**
 * The page's only source of time: the browser's clock. Countdowns follow the instance's clock, see
 * `live/clock.ts`.
 */

/** Returns the time of the browser, in milliseconds since the epoch. */
export function browserNow(): number {
  return Date.now()
}

/** Calls `work` once, after `ms` milliseconds. @returns a function that cancels the call */
export function later(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms)
  return () => clearTimeout(timer)
}

/** Calls `work` every `ms` milliseconds, until the page is closed. */
export function every(ms: number, work: () => void): void {
  setInterval(work, ms)
}

/**
 * Returns a function that schedules `work` for the next frame. Further calls before that frame change
 * nothing.
 */
export function eachFrame(work: () => void): () => void {
  let waiting = false
  return () => {
    if (waiting) return
    waiting = true
    requestAnimationFrame(() => {
      waiting = false
      work()
    })
  }
}
