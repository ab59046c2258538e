/** The page's only source of time: the browser's clock. Countdowns follow the instance's clock, see `live/clock.ts`. */

/** Milliseconds since the epoch. */
export function browserNow(): number {
  return Date.now()
}

/** Calls `work` once. @returns takes it back */
export function later(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms)
  return () => clearTimeout(timer)
}

/** Calls `work` again and again, for as long as the page is there. */
export function every(ms: number, work: () => void): void {
  setInterval(work, ms)
}

/** Calls `work` once in the next frame, however often it is asked for before that. */
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
