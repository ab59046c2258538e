export interface LoopOptions {
  warmUpMs: number
  measureMs: number
}

export interface LoopResult {
  perSecond: number
  /** Of each call, in milliseconds. */
  latencies: number[]
}

export const STANDARD_LOOP: LoopOptions = { warmUpMs: 1000, measureMs: 2000 }

/** Lets every caller make its next call as soon as its last was answered, and counts. */
export async function closedLoop(
  calls: readonly (() => Promise<unknown>)[],
  { warmUpMs, measureMs }: LoopOptions = STANDARD_LOOP,
): Promise<LoopResult> {
  const begin = performance.now() + warmUpMs
  const end = begin + measureMs
  const latencies: number[] = []
  await Promise.all(
    calls.map(async call => {
      for (let sent = performance.now(); sent < end; ) {
        await call()
        const answered = performance.now()
        if (sent >= begin && answered <= end) latencies.push(answered - sent)
        sent = answered
      }
    }),
  )
  return { perSecond: (latencies.length * 1000) / measureMs, latencies }
}
