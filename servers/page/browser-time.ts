/**
 * The page reads the browser's clock only through this file. Countdowns follow the instance's clock instead,
 * see `live/clock.ts`.
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

/** Calls `work` at intervals of `ms` milliseconds, until the page is closed. */
export function every(ms: number, work: () => void): void {
  setInterval(work, ms)
}

/**
 * Returns a function that schedules `work` for the browser's next frame. If it is called several times before
 * that frame, `work` runs once.
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
