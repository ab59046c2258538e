import { type RunningSafebot, type SafebotStart, startSafebot } from './safebot.js'

/** Two Safebots on one store, as two processes would be. */
export interface Replicas {
  readonly one: RunningSafebot
  readonly two: RunningSafebot
  /** Lets time pass for both. */
  advance(ms: number): Promise<void>
}

/** @param store the URL of their store */
export async function startReplicas(
  store: string,
  options: Omit<SafebotStart, 'store'> = {},
): Promise<Replicas> {
  const one = await startSafebot({ ...options, store })
  const two = await startSafebot({ ...options, store })
  return {
    one,
    two,
    async advance(ms) {
      // They have one clock.
      await one.instance.clock.advance(ms)
    },
  }
}
