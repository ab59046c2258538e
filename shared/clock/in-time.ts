import type { Clock, Wakeup } from './clock.js'

/**
 * What `work` gives, if it does so in time; it is not waited for any longer.
 *
 * @param machine the machine's time: what hangs does so by that
 * @throws Error once `ms` milliseconds are over; whatever `work` throws
 */
export async function inTime<T>(machine: Clock, ms: number, work: Promise<T>): Promise<T> {
  let alarm: Wakeup | undefined
  const tooLate = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${ms} ms`))
    alarm = machine.wakeAt(machine.now() + ms, giveUp)
  })
  try {
    return await Promise.race([work, tooLate])
  } finally {
    alarm?.cancel()
  }
}
