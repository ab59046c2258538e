import type { Clock, Wakeup } from '../../../shared/clock/clock.js'
import type { ToolContext } from '../../../shared/mcp/define-tool.js'

/** Well inside the 60 s after which both official SDK clients give up on a call that reports nothing. */
const EVERY_SECONDS = 10

/**
 * Waits for `work`, reporting the seconds that have passed to a caller that asked for it.
 *
 * @param total seconds the work may take
 */
export async function reporting<T>(
  clock: Clock,
  progress: ToolContext<unknown>['progress'],
  total: number,
  work: Promise<T>,
): Promise<T> {
  if (progress === undefined) return work
  const start = clock.now()
  const report = (): Wakeup => {
    const passed = Math.round((clock.now() - start) / 1000)
    progress(passed, total, `listening, ${passed} of ${total} s`)
    return clock.wakeAt(clock.now() + EVERY_SECONDS * 1000, () => {
      next = report()
    })
  }
  let next = report()
  try {
    return await work
  } finally {
    next.cancel()
  }
}
